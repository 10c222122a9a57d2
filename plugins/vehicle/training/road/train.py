"""Trains the road detector, writes it for the plugin, and measures what was written.

    python train.py --data DATA --yolox FILE --output OUT [--package DIR] [--zero-shot OUT/zero_shot.json]

OUT/network.onnx is the graph, OUT/metrics.json tells the figures of what was written, OUT/seed-N.ckpt lets an
interrupted training go on, OUT/seed-N.jsonl has a line for every epoch.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch

import data
import evaluate
import export
import fit
import network
import teacher
from network import SIDE
from shared import backbone

DESCRIPTION = (
    "Objects on roads: car, truck, bus, motorcycle, bicycle, person, traffic light, traffic sign. "
    "Not for driving or any other use on which safety depends. See MODEL_CARD.md."
)
# The COCO detector's score from which its objects become labels of classes that a set has not labelled.
TEACHER_SCORE_MIN = 0.5
# The set whose validation split decides, and is judged while the training goes on.
MAIN = "highway_ccby"


def pictures(root, nodes, constants):
    """All training pictures, with the COCO detector's labels for what the photographs have not labelled."""
    found = []
    for name, source in data.SOURCES.items():
        part = data.loaded(root, name, "train")
        found += teacher.labelled(nodes, constants, part, TEACHER_SCORE_MIN) if source.real else part
    return found


@torch.inference_mode()
def answers(road, images):
    """Boxes and scores of the torch network for uint8 [n, side, side, 3], as the written graph gives them."""
    levels = torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    logits, boxes = road(levels)
    return boxes.numpy(), logits.sigmoid().numpy()


def judge(validation):
    """A function of the network that gives its figures on the validation split."""

    def figures(road):
        found = evaluate.listed(validation, lambda images: answers(road, images), SIDE)
        found = evaluate.figures(validation, found)
        each = {name: round(figure["ap"], 4) for name, figure in found["classes"].items()}
        return {"map": round(found["map"], 4), "ap50": round(found["ap50"], 4), "ap": each}

    return figures


def measured(path, root, splits):
    """Figures of a written graph on every set."""
    session = evaluate.session(path)
    figures = {}
    for source in data.SOURCES:
        for split in splits:
            part = data.loaded(root, source, split)
            found = evaluate.listed(part, evaluate.answers(session), SIDE)
            figures[f"{source}/{split}"] = evaluate.detailed(part, found)
    return figures | {"bytes": path.stat().st_size, "speed": evaluate.speed(session, "image", (SIDE, SIDE, 3), np.uint8)}


def main():
    parser = argparse.ArgumentParser(description="Train, write and measure the road detector.")
    parser.add_argument("--data", required=True, type=Path, help="directory of the sets, each with its annotations")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--yolox", required=True, type=Path, help="the graph to begin with (network.SHA256)")
    parser.add_argument("--package", type=Path, help="folder of the archive of the package that labels, if not OUT")
    parser.add_argument("--zero-shot", type=Path, help="what zeroshot.py wrote, to stand beside the figures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--validation-only", action="store_true", help="leave the test splits alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    settings = dict(fit.SETTINGS)
    settings["epochs"] = arguments.epochs or settings["epochs"]
    nodes, constants = backbone.read(backbone.fetch(arguments.package or output))
    training = pictures(arguments.data, nodes, constants)
    validation = data.loaded(arguments.data, MAIN, "val")

    def log(figures):
        line = json.dumps({"time": time.strftime("%H:%M:%S")} | figures)
        print(line, flush=True)
        with open(output / f"seed-{arguments.seed}.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    checkpoint = output / f"seed-{arguments.seed}.ckpt"
    road = network.Road(network.read(arguments.yolox))
    road = fit.fit(road, training, settings, arguments.seed, checkpoint, judge(validation), log)
    path = output / "network.onnx"
    onnx.save(export.model(road, DESCRIPTION), path)
    splits = ("val",) if arguments.validation_only else ("val", "test")
    figures = {
        "settings": settings,
        "seed": arguments.seed,
        "training": {
            name: int(count)
            for name, count in zip(
                data.NAMES,
                np.bincount(
                    np.concatenate([part.classes[part.classes >= 0] for part in training]), minlength=len(data.NAMES)
                ),
            )
        },
        "figures": measured(path, arguments.data, splits),
    }
    if arguments.zero_shot:
        figures["zero_shot"] = json.loads(arguments.zero_shot.read_text())
    (output / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
