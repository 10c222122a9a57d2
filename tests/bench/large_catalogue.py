"""Writes the network and the item table of a made-up shop with many items, to measure what an answer costs there.

    python large_catalogue.py --items 1000000 --output DIR

The weights are random: what comes out means nothing, and takes as long as if it did.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins" / "retail" / "next-item" / "training"))

import data  # noqa: E402, the recipe is found at run time
from export import to_items, to_onnx  # noqa: E402
from network import Network  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    count = arguments.items
    content = np.zeros((count + 1, 1), dtype=np.float32)
    network = Network(content, np.ones(count + 1, dtype=bool), size=64, heads=2, blocks=2, dropout=0.5, item_dropout=0.1)
    network.eval()
    with torch.inference_mode():
        vectors = network.items().numpy()
    arguments.output.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network, "a made-up shop"), arguments.output / "network.onnx")
    nothing = [""] * count
    shop = data.Shop([str(number) for number in range(1, count + 1)], nothing, nothing, nothing, [])
    (arguments.output / "items.bin").write_bytes(to_items(shop, vectors, np.ones(count + 1, dtype=np.int64)))


if __name__ == "__main__":
    main()
