"""Writes what the shipped graph answers to pictures that a formula makes, for the tests of the plugin.

    python golden.py --plugin ../../detector

Each picture is whole-number arithmetic on a pixel's row y, column x and channel c (0 red, 1 green, 2 blue), with
rectangles painted over it in their order: (left, top, right, bottom, red, green, blue), right and bottom excluded, in
320ths of the side. The objects are what `detect.objects` makes of the answers, as the plugin does, at a low threshold
that no score is near to: so the last bits of a runtime decide nothing.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import detect
from data import NAMES
from evaluate import session

FORMULAS = {
    "(y*7 + x*13 + c*50 + (x*y) % 31) % 256": lambda y, x, c, side: (y * 7 + x * 13 + c * 50 + (x * y) % 31) % 256,
    "(x*255) / (N-1), whole division": lambda y, x, c, side: (x * 255) // (side - 1),
    "200 - (y*120) / N - c*20, whole division": lambda y, x, c, side: 200 - (y * 120) // side - c * 20,
    "128": lambda y, x, c, side: 128 + 0 * (y + x + c),
}
# A lorry's back on a road under the sky; a car of three boxes with two wheels; nothing; stripes like a crossing.
RECTANGLES = (
    (),
    (
        (60, 100, 260, 200, 30, 30, 160),
        (100, 60, 220, 100, 120, 140, 170),
        (80, 190, 120, 230, 10, 10, 10),
        (200, 190, 240, 230, 10, 10, 10),
    ),
    (
        (0, 180, 320, 320, 90, 90, 90),
        (110, 60, 210, 220, 200, 30, 30),
        (120, 70, 200, 120, 40, 60, 80),
        (115, 220, 140, 245, 15, 15, 15),
        (180, 220, 205, 245, 15, 15, 15),
    ),
    ((150, 40, 170, 100, 20, 20, 20), (154, 44, 166, 58, 250, 40, 30), (157, 100, 163, 280, 60, 60, 60)),
)
UNITS = 320
# At least and at most so many anchors of all pictures reach the threshold.
ANCHORS_MIN, ANCHORS_MAX = 40, 150


def picture(formula, rectangles, side):
    """uint8 [side, side, 3]."""
    y, x, c = np.mgrid[0:side, 0:side, 0:3].astype(np.int64)
    image = FORMULAS[formula](y, x, c, side).astype(np.uint8)
    for left, top, right, bottom, *colour in rectangles:
        down, across = (
            slice(top * side // UNITS, bottom * side // UNITS),
            slice(left * side // UNITS, right * side // UNITS),
        )
        image[down, across] = colour
    return image


def answers(network, image):
    boxes, scores = network.run(["boxes", "scores"], {"image": image[None]})
    return boxes[0].astype(np.float64), scores[0].astype(np.float64)


def threshold(scores):
    """In the middle of the widest gap between two scores that follow each other."""
    best = np.sort(scores)[::-1][ANCHORS_MIN - 1 : ANCHORS_MAX + 1]
    widest = np.argmax(best[:-1] - best[1:])
    return round(float(best[widest] + best[widest + 1]) / 2, 4)


def case(formula, rectangles, image, boxes, scores, score_min):
    found = zip(*detect.objects(boxes, scores, score_min))
    return {
        "formula": formula,
        "rectangles": [list(rectangle) for rectangle in rectangles],
        "pixel_sum": int(image.astype(np.int64).sum()),
        "objects": [
            {"label": NAMES[kind], "score": round(float(score), 5), "corners": [round(float(side), 3) for side in box]}
            for box, score, kind in found
        ],
    }


def main():
    parser = argparse.ArgumentParser(description="Write golden answers of the shipped graph.")
    parser.add_argument("--plugin", required=True, type=Path, help="directory with model/network.onnx")
    arguments = parser.parse_args()
    network = session(arguments.plugin / "model" / "network.onnx")
    side = network.get_inputs()[0].shape[1]
    images = [picture(formula, rectangles, side) for formula, rectangles in zip(FORMULAS, RECTANGLES)]
    found = [answers(network, image) for image in images]
    score_min = threshold(np.concatenate([scores.max(1) for _, scores in found]))
    cases = [
        case(formula, rectangles, image, *answer, score_min)
        for formula, rectangles, image, answer in zip(FORMULAS, RECTANGLES, images, found)
    ]
    tests = arguments.plugin / "tests"
    tests.mkdir(parents=True, exist_ok=True)
    text = {
        "side": side,
        "score": score_min,
        "overlap": detect.OVERLAP_MAX,
        "pictures": "pixel (y, x, c) = formula, N = side; then rectangles (left, top, right, bottom, red, green, blue) "
        f"in order, right and bottom excluded, coordinates * N / {UNITS} by whole division",
        "cases": cases,
    }
    (tests / "network.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
