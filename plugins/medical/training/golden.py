"""Writes what the shipped graphs answer to pictures that a formula makes, for the tests of the plugins.

    python golden.py --plugins ..

The pictures need no file: each formula is whole-number arithmetic on a pixel's row y and column x, and N is the side.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from evaluate import answers, session

FORMULAS = {
    "(y*7 + x*13 + (x*y) % 31) % 256": lambda y, x, side: (y * 7 + x * 13 + (x * y) % 31) % 256,
    "(x*255) / (N-1), whole division": lambda y, x, side: (x * 255) // (side - 1),
    "255 - ((y*y + x*x) / N) % 256, whole division": lambda y, x, side: 255 - ((y * y + x * x) // side) % 256,
    "128": lambda y, x, side: 128 + 0 * (y + x),
}
# Pixels of the mask whose values are written, as eighths of the side.
PLACES = ((1, 1), (2, 5), (4, 4), (5, 3), (7, 6))


def picture(formula, side):
    """uint8 [side, side]."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.int64)
    return FORMULAS[formula](rows, columns, side).astype(np.uint8)


def case(network, formula, side):
    """The answers to one picture: small outputs whole, activations and masks as a sum and some values."""
    names = [output.name for output in network.get_outputs()]
    found = {"formula": formula}
    for name, value in zip(names, answers(network, picture(formula, side)[None], names)):
        value = value[0].astype(np.float64)
        if name == "mask":
            places = [(down * side // 8, across * side // 8) for down, across in PLACES]
            found["mask_sum"] = float(value.sum())
            found["mask_pixels"] = [{"y": y, "x": x, "value": float(value[y, x])} for y, x in places]
        elif name == "activation":
            found["activation_mean"] = np.round(value.mean((-2, -1)), 6).tolist()
            found["activation_first_row"] = np.round(value.reshape(-1, value.shape[-1])[0], 6).tolist()
        else:
            found[name] = value.tolist()
    return found


def main():
    parser = argparse.ArgumentParser(description="Write golden answers of the shipped graphs.")
    parser.add_argument("--plugins", required=True, type=Path, help="directory of chest-xray, brain-tumor, ...")
    arguments = parser.parse_args()
    for name in ("chest-xray", "brain-tumor", "brain-outline"):
        network = session(arguments.plugins / name / "model" / "network.onnx")
        side = network.get_inputs()[0].shape[1]
        cases = [case(network, formula, side) for formula in FORMULAS]
        tests = arguments.plugins / name / "tests"
        tests.mkdir(exist_ok=True)
        (tests / "golden.json").write_text(json.dumps({"side": side, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
