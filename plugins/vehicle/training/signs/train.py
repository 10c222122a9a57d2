"""Trains the traffic sign network, writes it for the plugin, and measures what was written.

    python train.py --data GTSRB --output OUT --outside road=HIGHWAY --outside town=CARLA

First, one member or several with the seeds N, N+1, ... learn from the training split: from them come the figures on
the validation split, the temperature and the threshold of the distance. Then members with the same settings learn from
both splits. OUT/network.onnx holds them all, and is what is scored on the test split. OUT/metrics.json tells the
figures. Members that are finished are kept in OUT, and are not trained again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch

import calibrate
import data
import fit
import novelty
import outside
from data import Set
from evaluate import answers, figures, flagged, session, speed
from export import signs_model
from network import Signs

DESCRIPTION = "Which of 43 German traffic signs a crop shows. Research only, never for driving. See MODEL_CARD.md."
# Training crops from which the distance is fitted, each taken twice.
FITTED_MAX = 8000


def softmax(logits):
    scaled = np.exp(logits - logits.max(1, keepdims=True))
    return scaled / scaled.sum(1, keepdims=True)


def judge(parts):
    """A function of a network that gives its accuracy on each part."""

    def figures(network):
        return {
            f"{name}_accuracy": float((fit.logits(network, part.images).argmax(1) == part.labels).mean())
            for name, part in parts.items()
        }

    return figures


def member(part, settings, seed, path, judged=None):
    """One network, trained, or read from the file of a finished training; its file tells the processor time too."""
    network = Signs(settings["dropout"])
    if path.exists():
        state = torch.load(path)
        network.load_state_dict(state["network"])
        return network.eval(), state["processor_seconds"]
    begin, busy = time.monotonic(), []

    def log(figures):
        busy.append(figures["processor_seconds"])
        line = json.dumps({name: round(value, 5) for name, value in figures.items()})
        print(f"{path.stem}: {line}", flush=True)
        with open(path.with_suffix(".jsonl"), "a", encoding="utf-8") as file:
            file.write(line + "\n")

    network = fit.fit(part, settings, seed, log, judged)
    torch.save({"network": network.state_dict(), "processor_seconds": sum(busy)}, path)
    print(f"{path.stem}: {time.monotonic() - begin:.0f} s", flush=True)
    return network, sum(busy)


def distance(network, part):
    """The distance to the crops of a part, or to as many of them as are looked at."""
    order = np.random.default_rng(0).permutation(len(part))[:FITTED_MAX]
    return novelty.fitted(network, part.images[order], part.labels[order])


def validated(members, train, parts):
    """What only crops that no member has seen can tell: figures, temperature, threshold of the distance."""
    logits = {name: [fit.logits(each, part.images) for each in members] for name, part in parts.items()}
    shared = {name: np.mean(found, axis=0) for name, found in logits.items()}
    # As the crops are and as another camera would have them; not as heavily changed as in training.
    chosen = ("val", "val_passed_on")
    labels = np.concatenate([parts[name].labels for name in chosen])
    temperature = calibrate.temperature(np.concatenate([shared[name] for name in chosen]), labels)
    measure = distance(members[0], train)
    distances = [measure.of(novelty.all_numbers(members[0], parts[name].images)) for name in chosen]
    found = {"temperature": temperature, "novelty_threshold": round(novelty.threshold(*distances), 3)}
    found["members"] = [
        {name: round(float((each[number].argmax(1) == parts[name].labels).mean()), 4) for name, each in logits.items()}
        for number in range(len(members))
    ]
    for name, part in parts.items():
        found[name] = figures(part.labels, softmax(shared[name] / temperature), part.tracks)
        found[name]["calibration_error_before"] = figures(part.labels, softmax(shared[name]))["calibration_error"]
    found["flagged"] = {name: flagged(part, found["novelty_threshold"]) for name, part in zip(chosen, distances)}
    return found


def shipped(members, found, learned, test, arguments):
    """Writes the graph and scores it on the test split and on crops without a sign."""
    model = signs_model(members, found["temperature"], distance(members[0], learned), DESCRIPTION)
    path = arguments.output / "network.onnx"
    onnx.save(model, path)
    network = session(path)
    probability, distances = answers(network, test.images)
    threshold = found["novelty_threshold"]
    result = {"test": figures(test.labels, probability), "novelty": {"test": flagged(distances, threshold)}}
    plain = softmax(np.log(np.maximum(probability, 1e-30)) * found["temperature"])
    result["test"]["calibration_error_before"] = figures(test.labels, plain)["calibration_error"]
    known, right = distances <= threshold, probability.argmax(1) == test.labels
    result["test"]["accuracy_of_not_flagged"] = round(float(right[known].mean()), 4)
    result["test"]["accuracy_of_flagged"] = round(float(right[~known].mean()), 4) if not known.all() else None
    for each in members:
        logits = fit.logits(each, test.images)
        result["test"].setdefault("members", []).append(round(float((logits.argmax(1) == test.labels).mean()), 4))
    crops = {name: outside.photographs(folder, "train") for name, folder in arguments.outside.items()}
    for name, images in (crops | outside.synthetic()).items():
        probability, distances = answers(network, images)
        result["novelty"][name] = flagged(distances, threshold)
        result["novelty"][name]["median_probability"] = round(float(np.median(probability.max(1))), 4)
    return result | {"bytes": path.stat().st_size, "speed": speed(network)}


def main():
    parser = argparse.ArgumentParser(description="Train, write and measure the traffic sign network.")
    parser.add_argument("--data", required=True, type=Path, help="the staged set: tables and sheets of crops")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first member")
    parser.add_argument("--judged", type=int, default=1, help="networks that leave the validation split alone")
    parser.add_argument("--members", type=int, default=2, help="networks that learn from it too")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--outside", action="append", default=[], metavar="NAME=DIR", help="photographs in a COCO set")
    arguments = parser.parse_args()
    arguments.outside = dict(pair.split("=", 1) for pair in arguments.outside)
    torch.set_num_threads(1)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    settings = fit.SETTINGS | ({"epochs": arguments.epochs} if arguments.epochs else {})
    seeds = range(arguments.seed, arguments.seed + arguments.members)
    judges = range(arguments.seed, arguments.seed + arguments.judged)

    train, val = data.read(arguments.data, "train"), data.read(arguments.data, "val")
    passed = Set(novelty.passed_on(val.images, 1), val.labels, val.tracks)
    parts = {"val": val, "val_passed_on": passed, "val_perturbed": fit.perturbed(val)}
    judged = judge({"val": val, "perturbed": parts["val_perturbed"]})
    first = [member(train, settings, seed, output / f"train-{seed}.pt", judged) for seed in judges]
    found = validated([network for network, _ in first], train, parts)
    (output / "validation.json").write_text(json.dumps(found, indent=1) + "\n")

    learned = train + val
    last = [member(learned, settings, seed, output / f"both-{seed}.pt") for seed in seeds]
    # Those that learned from more come first: the distance is that of the first.
    members = [network for network, _ in last + first]
    result = shipped(members, found, learned, data.read(arguments.data, "test"), arguments)
    seconds = {"train": [round(busy) for _, busy in first], "train_and_val": [round(busy) for _, busy in last]}
    begun = {"settings": settings, "seeds": list(seeds), "judged": list(judges), "processor_seconds": seconds}
    result = begun | {"validation": found} | result
    (output / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
