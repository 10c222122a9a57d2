"""Next items for every customer of a shop, stored, as `foretell-retail recommend --all` does it.

    python recommend.py --db FILE --network DIR [--grouped] [--count 10]

`--network` is what the recipe wrote for the shop: `network.pt`, and `items.txt` with the item of each number. Sequences are padded to the length of the
longest, 50, in batches of 512, which is the usual way; `--grouped` puts sequences of one length together, which is the better one.
Prints one line of JSON: customers, seconds, and the sum of the best scores.
"""

import argparse
import json
import sqlite3
import sys
import time
from pathlib import Path

import numpy as np
import torch

LENGTH_MAX = 50
BATCH = 512
RECIPE = Path(__file__).parents[2] / "plugins" / "retail" / "next-item" / "training"

PURCHASES = """
    SELECT id, payload ->> 'customer', payload ->> 'item' FROM record
    WHERE domain = 'retail' AND payload ->> 'item' IS NOT NULL
    ORDER BY event_time, id
"""
TABLE = """
    CREATE TABLE script_prediction (
        record_id INTEGER PRIMARY KEY, score REAL, label TEXT, output TEXT
    ) STRICT
"""


def load(directory):
    """What scores padded sequences, and the item of each number; number 0 is padding."""
    sys.path.insert(0, str(RECIPE))
    from network import Network, distances  # noqa: PLC0415, the recipe is found at run time

    network = Network.load(directory / "network.pt").eval()
    with torch.inference_mode():
        matrix = network.items()

    def scores(inputs):
        starts = (inputs == 0).sum(dim=1, keepdim=True).expand(inputs.shape)
        states = network.states(inputs, matrix, distances(torch.arange(inputs.shape[1]), starts))
        return network.sharpen(states[:, -1]) @ matrix.T

    return scores, ["", *(directory / "items.txt").read_text().splitlines()]


def sequences(connection, numbers):
    """The last items of each customer, oldest first, and the customer's last purchase."""
    found = {}
    for record, customer, item in connection.execute(PURCHASES):
        number = numbers.get(item)
        if customer is not None and number is not None:
            row = found.setdefault(customer, [0, []])
            row[0] = record
            row[1].append(number)
    return list(found.values())


def batches(rows, grouped):
    """Rows cut into batches: of one length each, or as they come."""
    if grouped:
        rows = sorted(rows, key=lambda row: min(len(row[1]), LENGTH_MAX))
    batch = []
    for row in rows:
        full = len(batch) == BATCH
        other = grouped and batch and min(len(batch[0][1]), LENGTH_MAX) != min(len(row[1]), LENGTH_MAX)
        if full or other:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@torch.inference_mode()
def answer(network, batch, count, grouped):
    """The best `count` items of each row that are not its own: numbers and scores."""
    length = min(max(len(items) for _, items in batch), LENGTH_MAX) if grouped else LENGTH_MAX
    inputs = np.zeros((len(batch), length), dtype=np.int64)
    for row, (_, items) in enumerate(batch):
        last = items[-length:]
        inputs[row, length - len(last):] = last
    inputs = torch.from_numpy(inputs)
    scores = network(inputs)
    own = [(row, item) for row, (_, items) in enumerate(batch) for item in set(items)]
    rows, items = zip(*own)
    scores[list(rows), list(items)] = float("-inf")
    scores[:, 0] = float("-inf")
    best = scores.topk(count, dim=1)
    return best.indices.numpy(), best.values.numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", required=True)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--grouped", action="store_true")
    arguments = parser.parse_args()

    start = time.perf_counter()
    network, items = load(arguments.network)
    connection = sqlite3.connect(arguments.db)
    connection.execute("PRAGMA synchronous = NORMAL")
    rows = sequences(connection, {item: number for number, item in enumerate(items)})
    total = 0.0
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(TABLE)
    for batch in batches(rows, arguments.grouped):
        numbers, scores = answer(network, batch, arguments.count, arguments.grouped)
        total += float(scores[:, 0].sum(dtype=np.float64))
        stored = []
        for (record, _), best, values in zip(batch, numbers.tolist(), scores.tolist()):
            output = [{"item": items[number], "score": value} for number, value in zip(best, values)]
            stored.append((record, values[0], items[best[0]], json.dumps(output, separators=(",", ":"))))
        connection.executemany("INSERT INTO script_prediction VALUES (?, ?, ?, ?)", stored)
    connection.commit()
    seconds = time.perf_counter() - start
    print(json.dumps({"customers": len(rows), "seconds": seconds, "sum": total}))


if __name__ == "__main__":
    main()
