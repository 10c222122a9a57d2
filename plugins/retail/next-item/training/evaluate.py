"""Full ranking: every customer's target among all items of the catalogue, what the customer already has left out.

    python evaluate.py --model DIR --sequences sequences.txt --items items.tsv [--part validation] [--untied asin]
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import onnxruntime

import card
import data

CUTS = (5, 10)
# Customers that are scored at a time.
ROWS = 512


def ranks(score, questions):
    """Rank of each question's target, 0 is the best; a target that the customer already has is never found.

    `score` takes item numbers [rows, length] and gives scores [rows, count + 1]. Equal scores count half.
    """
    found = np.full(len(questions), np.inf)
    lengths = np.array([min(len(past), data.LENGTH_MAX) for past, _ in questions])
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        for first in range(0, len(chosen), ROWS):
            group = chosen[first : first + ROWS]
            scores = score(np.stack([questions[index][0][-length:] for index in group]))
            scores[:, 0] = -np.inf
            for row, index in enumerate(group):
                scores[row, questions[index][0]] = -np.inf
            targets = scores[np.arange(len(group)), [questions[index][1] for index in group]][:, None]
            rank = (scores > targets).sum(axis=1) + ((scores == targets).sum(axis=1) - 1) / 2
            found[group] = np.where(np.isfinite(targets[:, 0]), rank, np.inf)
    return found


def metrics(found):
    """Hit rate and NDCG of one target each: mean(rank < k) and mean(1 / log2(rank + 2) where rank < k).

    `reachable` is the share of targets that the customer did not have yet, which no hit rate can exceed.
    """
    result = {"reachable": float(np.isfinite(found).mean())}
    for cut in CUTS:
        hit = found < cut
        gain = np.where(hit, 1 / np.log2(np.where(hit, found, 0) + 2), 0)
        result |= {f"hr_at_{cut}": float(hit.mean()), f"ndcg_at_{cut}": float(gain.mean())}
    return result


def scorer(path):
    """The written network as a function for `ranks`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def score(items):
        scores = session.run(["scores"], {"items": items.astype(np.int64)})[0]
        return np.concatenate([np.full((len(items), 1), -np.inf, dtype=np.float32), scores], axis=1)

    return score


def measure(path, questions):
    return metrics(ranks(scorer(path), questions))


def untied(questions, path, column):
    """Which questions have a target whose `column` in the catalogue sorts below that of the purchase before it.

    Purchases of a day stand in the order of that column in the public sets, so these are of another day for sure.
    """
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        values = ["", *(row[column] for row in rows)]
    return np.array([values[target] < values[past[-1]] for past, target in questions])


def main():
    parser = argparse.ArgumentParser(description="Measure a written network on one part of the split.")
    parser.add_argument("--model", required=True, type=Path, help="directory of network.onnx")
    parser.add_argument("--sequences", required=True)
    parser.add_argument("--items")
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--untied", metavar="COLUMN", help="also for targets below the purchase before in this column")
    arguments = parser.parse_args()
    shop = data.load(arguments.sequences, arguments.items)
    questions = getattr(data.split(shop.sequences), arguments.part)
    found = ranks(scorer(arguments.model / "network.onnx"), questions)
    print(f"{arguments.part}  {card.line(metrics(found))}  ({len(found)} customers)")
    if arguments.untied:
        chosen = untied(questions, arguments.items, arguments.untied)
        print(f"untied  {card.line(metrics(found[chosen]))}  ({chosen.sum()} customers)")


if __name__ == "__main__":
    main()
