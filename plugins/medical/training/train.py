"""Trains a medical network, writes it for the plugins, and measures what was written.

    python train.py chest --data DIR --output OUT --outside NAME=DIR
    python train.py brain --data DIR --output OUT --outside NAME=DIR

`chest` trains members with the seeds N, N+1, ... and writes them as one graph, OUT/network.onnx. `brain` trains one
network and writes OUT/network.onnx (type) and OUT/outline/network.onnx (outline). OUT/metrics.json tells the figures
of what was written; OUT/seed-N.ckpt lets an interrupted training go on.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch.nn.functional import interpolate

import calibrate
import data
import fit
import novelty
import outside
from evaluate import (
    answers,
    auc,
    binary,
    calibration_error,
    dice,
    interval,
    macro_auc,
    session,
    several,
    speed,
)
from export import brain_model, chest_model, outline_model
from network import standardised
from shared import backbone

DESCRIPTIONS = {
    "chest": "Pneumonia on chest radiographs of children.",
    "brain": "Type of a brain tumour on contrast-enhanced T1 slices.",
    "outline": "Outline of a brain tumour on contrast-enhanced T1 slices.",
}
WARNING = "Research only, never a diagnosis. See MODEL_CARD.md."
# Training pictures from which the distance is fitted, each taken twice.
FITTED_MAX = 3000


@torch.inference_mode()
def outputs(network, images):
    """What the torch network gives for uint8 [n, h, w]; one array per output."""
    parts = []
    for first in range(0, len(images), 32):
        found = network(standardised(torch.from_numpy(images[first : first + 32])))
        parts.append([part.numpy() for part in (found if isinstance(found, tuple) else (found,))])
    return [np.concatenate(part) for part in zip(*parts)]


def judge(kind, parts):
    """A function of a network that gives its figures on each part."""

    def figures(network):
        found = {}
        for name, part in parts.items():
            if kind == "chest":
                found[f"{name}_auc"] = float(auc(part.labels, outputs(network, part.images)[0]))
                continue
            logits, outline = outputs(network, part.images)
            full = interpolate(torch.from_numpy(outline), scale_factor=2, mode="bilinear")[:, 0].sigmoid().numpy()
            chances = torch.from_numpy(logits).softmax(1).numpy()
            found[f"{name}_macro_auc"] = macro_auc(part.labels, chances)
            found[f"{name}_accuracy"] = float((logits.argmax(1) == part.labels).mean())
            found[f"{name}_dice"] = float(dice(part.masks > 0, full, 0.5).mean())
        return found

    return figures


def squashed(part, size):
    """A split at the network's size, as the product would hand it over."""
    masks = None
    if part.masks is not None:
        masks = (data.squashed(part.masks * np.uint8(255), size) > 127).astype(np.uint8)
    return data.Set(data.squashed(part.images, size), part.labels, part.groups, masks, part.files)


def trained(kind, constants, splits, validation, settings, seed, output):
    """One network, trained or read from the checkpoint of a finished training."""
    begin = time.monotonic()

    def log(figures):
        line = json.dumps({name: round(value, 5) for name, value in figures.items()})
        print(f"seed {seed}: {line}", flush=True)
        with open(output / f"seed-{seed}.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    checkpoint = output / f"seed-{seed}.ckpt"
    network = fit.fit(kind, constants, splits["train"], settings, seed, checkpoint, judge(kind, validation), log)
    print(f"seed {seed}: {time.monotonic() - begin:.0f} s", flush=True)
    return network


def distance(network, splits, validation, size):
    """(the distance, its threshold) from training and validation pictures."""
    generator = np.random.default_rng(0)
    order = generator.permutation(len(splits["train"]))[:FITTED_MAX]
    found = novelty.fitted(network.body, data.squashed(splits["train"].images[order], size), generator)
    plain = validation["val"].images
    parts = [novelty.all_numbers(network.body, images) for images in (plain, novelty.passed_on(plain, generator))]
    return found, round(novelty.threshold(*[found.of(numbers) for numbers in parts]), 3)


def write(model, path):
    """Writes the model and opens it as the product does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return session(path)


def chest(constants, splits, settings, arguments):
    output, size = arguments.output, settings["size"]
    validation = {"val": squashed(splits["val"], size), "perturbed": fit.perturbed("chest", splits["val"], size)}
    test = squashed(splits["test"], size)
    seeds = list(range(arguments.seed, arguments.seed + arguments.members))
    members = [trained("chest", constants, splits, validation, settings, seed, output) for seed in seeds]
    found, beyond = distance(members[0], splits, validation, size)

    def measured(chosen, path):
        logits = [
            np.mean([outputs(member, part.images)[0] for member in chosen], axis=0) for part in validation.values()
        ]
        labels = np.concatenate([part.labels for part in validation.values()])
        offset, temperature = calibrate.platt(np.concatenate(logits), labels)
        description = f"{DESCRIPTIONS['chest']} {WARNING}"
        network = write(chest_model(chosen, offset, temperature, found, size, description), path)
        scores = {name: answers(network, part.images, ["score"])[0] for name, part in validation.items()}
        scores["test"] = answers(network, test.images, ["score"])[0]
        threshold = calibrate.SCORE_THRESHOLD
        figures = {"offset": offset, "temperature": temperature, "score_threshold": threshold}
        for name, part in (validation | {"test": test}).items():
            figures[name] = binary(part.labels, scores[name], threshold)
            # Before: the members' mean logit through a plain sigmoid.
            plain = 1 / (1 + np.exp(-(np.log(scores[name] / (1 - scores[name])) * temperature - offset)))
            figures[name]["calibration_error_before"] = round(calibration_error(part.labels, plain), 4)
            figures[name]["calibration_error_after"] = round(calibration_error(part.labels, scores[name]), 4)
        return network, figures

    each = {seed: measured([member], output / f"seed-{seed}.onnx")[1] for seed, member in zip(seeds, members)}
    network, figures = measured(members, output / "network.onnx")
    spread = {}
    for name in ("auc", "accuracy", "sensitivity", "specificity"):
        values = [one["test"][name]["value"] for one in each.values()]
        spread[name] = {"mean": round(float(np.mean(values)), 4), "deviation": round(float(np.std(values, ddof=1)), 4)}
    _, distances = answers(network, test.images, ["score", "novelty"])
    return {
        "settings": settings,
        "shipped": figures,
        "seeds": each,
        "test_mean_of_seeds": spread,
        "novelty_threshold": beyond,
        "novelty": {name: outside.flagged(network, part.images, beyond) for name, part in validation.items()}
        | {"test": outside.flagged(network, test.images, beyond)}
        | {"test_interval": interval(np.mean, distances > beyond)}
        | outside.measured(network, arguments.outside, size, beyond),
        "bytes": (output / "network.onnx").stat().st_size,
        "speed": speed(network, size),
    }


def brain(constants, splits, settings, arguments):
    output, size = arguments.output, settings["size"]
    validation = {"val": squashed(splits["val"], size), "perturbed": fit.perturbed("brain", splits["val"], size)}
    test = squashed(splits["test"], size)
    model = trained("brain", constants, splits, validation, settings, arguments.seed, output)
    found, beyond = distance(model, splits, validation, size)
    logits = np.concatenate([outputs(model, part.images)[0] for part in validation.values()])
    temperature = calibrate.temperature(logits, np.concatenate([part.labels for part in validation.values()]))
    words = {name: f"{DESCRIPTIONS[name]} {WARNING}" for name in ("brain", "outline")}
    network = write(brain_model(model, temperature, found, size, words["brain"]), output / "network.onnx")
    outline = write(outline_model(model, size, words["outline"]), output / "outline" / "network.onnx")
    (likely,) = answers(outline, validation["val"].images, ["mask"])
    shares = [dice(validation["val"].masks > 0, likely, level).mean() for level in calibrate.MASK_THRESHOLDS]
    mask_threshold = float(calibrate.MASK_THRESHOLDS[int(np.argmax(shares))])
    figures = {}
    for name, part in (validation | {"test": test}).items():
        scores, _ = answers(network, part.images, ["scores", "novelty"])
        figures[name] = several(part.labels, scores, data.BRAIN_CLASSES)
        plain = scores**temperature
        plain /= plain.sum(1, keepdims=True)
        figures[name]["calibration_error_before"] = round(calibration_error(part.labels, plain), 4)
        figures[name]["calibration_error_after"] = round(calibration_error(part.labels, scores), 4)
        (likely,) = answers(outline, part.images, ["mask"])
        each = dice(part.masks > 0, likely, mask_threshold)
        figures[name]["dice"] = {
            "mean": round(float(each.mean()), 4),
            "mean_interval": interval(np.mean, each),
            "median": round(float(np.median(each)), 4),
            "median_interval": interval(np.median, each),
            "missed": round(float((each == 0).mean()), 4),
        } | {
            f"mean_{kind}": round(float(each[part.labels == number].mean()), 4)
            for number, kind in enumerate(data.BRAIN_CLASSES)
        }
    return {
        "settings": settings,
        "seed": arguments.seed,
        "temperature": temperature,
        "mask_threshold": mask_threshold,
        "novelty_threshold": beyond,
        "figures": figures,
        "novelty": {
            name: outside.flagged(network, part.images, beyond) for name, part in (validation | {"test": test}).items()
        }
        | outside.measured(network, arguments.outside, size, beyond),
        "bytes": {"type": (output / "network.onnx").stat().st_size}
        | {"outline": (output / "outline" / "network.onnx").stat().st_size},
        "speed": {"type": speed(network, size), "outline": speed(outline, size)},
    }


def main():
    parser = argparse.ArgumentParser(description="Train, write and measure a medical network.")
    parser.add_argument("kind", choices=("chest", "brain"))
    parser.add_argument("--data", required=True, type=Path, help="the staged set: labels.csv and pictures")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first member")
    parser.add_argument("--members", type=int, default=3, help="networks averaged in the chest graph")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--package", type=Path, help="folder of the backbone's archive, if not OUT")
    parser.add_argument("--outside", action="append", default=[], metavar="NAME=DIR", help="pictures to be flagged")
    arguments = parser.parse_args()
    arguments.outside = dict(pair.split("=", 1) for pair in arguments.outside)
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    _, constants = backbone.read(backbone.fetch(arguments.package or arguments.output))
    settings = fit.SETTINGS[arguments.kind] | ({"epochs": arguments.epochs} if arguments.epochs else {})
    run = {"chest": chest, "brain": brain}[arguments.kind]
    figures = run(constants, getattr(data, arguments.kind)(arguments.data), settings, arguments)
    (arguments.output / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
