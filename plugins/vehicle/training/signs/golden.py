"""Writes what the shipped graph answers to crops that a formula makes, for the tests of the plugin.

    python golden.py --plugin ../../signs

The crops need no file: each formula is whole-number arithmetic on a pixel's row y, column x and colour c (0 red, 1
green, 2 blue), and N is the side. The drawn signs measure from the middle, in half pixels: u = 2x - N + 1 to the right
and v = 2y - N + 1 downwards.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from data import CLASSES, SIDE
from evaluate import answers, session

RED, WHITE, BEHIND = (180, 30, 40), (230, 230, 230), (90, 120, 150)


def no_entry(v, u, side):
    """A red disc with a white bar: `WHITE` where 8 |v| < N and 5 |u| < 3 N, else `RED` where u*u + v*v < (N - 2)**2."""
    disc = u * u + v * v < (side - 2) ** 2
    bar = (8 * abs(v) < side) & (5 * abs(u) < 3 * side)
    return np.where(bar, 1, np.where(disc, 0, 2))


def give_way(v, u, side):
    """A white triangle on its tip with a red rim. The room to its nearest edge is the least of 2 N + 2 v - 8 (above)
    and N - v - 2 |u| - 4 (sides): `BEHIND` below 0, `RED` below N / 2 (whole division), else `WHITE`."""
    room = np.minimum(2 * side + 2 * v - 8, side - v - 2 * abs(u) - 4)
    return np.where(room < 0, 2, np.where(room < side // 2, 0, 1))


FORMULAS = {
    "(y*7 + x*13 + (x*y) % 31 + c*40) % 256": lambda y, x, c, side: (y * 7 + x * 13 + (x * y) % 31 + c * 40) % 256,
    "((x*(2-c) + y*c)*255) / (2*(N-1)), whole division": lambda y, x, c, side: (
        ((x * (2 - c) + y * c) * 255) // (2 * (side - 1))
    ),
    "255 - ((y*y + x*x)*(c+1) / N) % 256, whole division": lambda y, x, c, side: (
        255 - ((y * y + x * x) * (c + 1) // side) % 256
    ),
    "128": lambda y, x, c, side: 128 + 0 * (y + x + c),
}
DRAWINGS = {"no entry": no_entry, "yield": give_way}


def crop(name):
    """uint8 [32, 32, 3]."""
    rows, columns, colours = np.mgrid[0:SIDE, 0:SIDE, 0:3].astype(np.int64)
    if name in FORMULAS:
        return FORMULAS[name](rows, columns, colours, SIDE).astype(np.uint8)
    ends = 1 - SIDE
    part = DRAWINGS[name](2 * rows[:, :, 0] + ends, 2 * columns[:, :, 0] + ends, SIDE)
    return np.array([RED, WHITE, BEHIND], np.uint8)[part]


def case(network, name):
    """The answer to one crop."""
    probability, distance = answers(network, crop(name)[None])
    called = CLASSES[int(probability[0].argmax())]
    numbers = probability[0].astype(np.float64).tolist()
    return {"formula": name, "called": called, "distance": float(distance[0]), "probability": numbers}


def main():
    parser = argparse.ArgumentParser(description="Write golden answers of the shipped graph.")
    parser.add_argument("--plugin", required=True, type=Path, help="directory of the plugin")
    arguments = parser.parse_args()
    network = session(arguments.plugin / "model" / "network.onnx")
    cases = [case(network, name) for name in (*FORMULAS, *DRAWINGS)]
    tests = arguments.plugin / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "golden.json").write_text(json.dumps({"side": SIDE, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
