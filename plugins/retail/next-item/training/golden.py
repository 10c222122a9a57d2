"""Writes what the torch network of OUT recommends, for the plugin's test to hold its own answers against.

    python golden.py --model OUT --output ../tests/golden.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from data import LENGTH_MAX
from network import Network

COUNT = 10


@torch.inference_mode()
def answer(network, items, sequence):
    """The best items that are not in the sequence, with their scores."""
    numbers = [items.index(item) + 1 for item in sequence]
    scores = network.scores(torch.tensor([numbers[-LENGTH_MAX:]]))[0, 1:].double().numpy()
    scores[np.array(numbers) - 1] = -np.inf
    best = np.argsort(-scores, kind="stable")[:COUNT]
    return [{"item": items[index], "score": float(scores[index])} for index in best]


def main():
    parser = argparse.ArgumentParser(description="Write golden answers of a trained network.")
    parser.add_argument("--model", required=True, type=Path, help="directory of network.pt and items.txt")
    parser.add_argument("--output", required=True, type=Path, help="the JSON file")
    arguments = parser.parse_args()
    network = Network.load(arguments.model / "network.pt")
    items = (arguments.model / "items.txt").read_text().splitlines()
    generator = np.random.default_rng(0)
    cases = []
    for length in (1, 2, 3, 8, LENGTH_MAX, LENGTH_MAX + 10):
        sequence = [items[index] for index in generator.integers(len(items), size=length)]
        cases.append({"sequence": sequence, "answer": answer(network, items, sequence)})
    arguments.output.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
