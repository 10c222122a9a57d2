"""The figures of the model card which go beyond metrics.json.

    python card_figures.py --data DIR --models DIR [--validation DIR]

Reads the fold models which train.py wrote. Prints, for the single split: bootstrap intervals, AUC per fraud scenario
and a calibration table; and decision thresholds measured on the validation folds, with what they do on the test folds.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from features import compute_features, load_transactions
from protocol import METRICS, TEST_STARTS, VALIDATION_STARTS, evaluate, split
from train import SINGLE_START, score

REPLICATES = 1000
FALSE_POSITIVE_RATES = (0.001, 0.01, 0.05)
CALIBRATION_EDGES = (0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.7, 0.95, 1.0001)


class Resample:
    """Rows in the shape that `evaluate` reads, drawn by whole cards; a card drawn twice counts as two cards."""

    def __init__(self, transactions, rows, generator):
        cards, position = np.unique(transactions.customer[rows], return_inverse=True)
        by_card = np.split(np.argsort(position, kind="stable"), np.cumsum(np.bincount(position))[:-1])
        drawn = [by_card[number] for number in generator.integers(len(cards), size=len(cards))]
        self.chosen = np.concatenate(drawn)
        self.customer = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        self.day = transactions.day[rows][self.chosen]
        self.fraud = transactions.fraud[rows][self.chosen]


def print_intervals(transactions, rows, scores):
    generator = np.random.default_rng(0)
    values = []
    for _ in range(REPLICATES):
        sample = Resample(transactions, rows, generator)
        values.append(list(evaluate(sample, slice(None), scores[sample.chosen]).values()))
    low, high = np.quantile(values, (0.025, 0.975), axis=0)
    print(f"\n95 % intervals, {REPLICATES} resamples of cards, single split")
    for name, point, bottom, top in zip(METRICS, evaluate(transactions, rows, scores).values(), low, high):
        print(f"  {name:22} {point:.4f}  [{bottom:.4f}, {top:.4f}]")


def print_scenarios(transactions, rows, scores):
    scenario = transactions.scenario[rows]
    print("\nAUC of each fraud scenario against the genuine payments, single split")
    for kind in (1, 2, 3):
        chosen = (scenario == 0) | (scenario == kind)
        area = roc_auc_score(scenario[chosen] == kind, scores[chosen])
        print(f"  scenario {kind}: {area:.4f}  ({(scenario == kind).sum()} frauds)")


def print_calibration(transactions, rows, scores):
    fraud = transactions.fraud[rows]
    print(f"\ncalibration, single split: mean score {scores.mean():.5f}, fraud rate {fraud.mean():.5f}")
    for low, high in zip(CALIBRATION_EDGES, CALIBRATION_EDGES[1:]):
        inside = (scores >= low) & (scores < high)
        share = fraud[inside].mean() if inside.any() else float("nan")
        print(f"  [{low:.3f}, {min(high, 1):.3f})  {inside.sum():6} rows  mean score {scores[inside].mean():.4f}  fraud {share:.4f}")


def print_thresholds(transactions, validation, test):
    """Quantiles of the genuine scores, pooled over the validation folds."""
    genuine = np.concatenate([scores[~transactions.fraud[rows]] for rows, scores in validation.values()])
    print("\nthresholds from the pooled validation folds; share of genuine and of fraudulent payments at or above them")
    for rate in FALSE_POSITIVE_RATES:
        threshold = np.quantile(genuine, 1 - rate)
        print(f"  false-positive rate {rate:.1%}: score >= {threshold:.4f}")
        for group, folds in (("validation", validation), ("test", test)):
            for start, (rows, scores) in folds.items():
                fraud = transactions.fraud[rows]
                flagged = scores >= threshold
                print(
                    f"    {group:10} {start}  false positives {flagged[~fraud].mean():.4%}"
                    f"  recall {flagged[fraud].mean():.3f}  precision {fraud[flagged].mean():.3f}"
                )


def main():
    parser = argparse.ArgumentParser(description="Print the further figures of the model card.")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path, help="directory with the models of the test folds")
    parser.add_argument("--validation", required=True, type=Path, help="directory with those of the validation folds")
    arguments = parser.parse_args()
    transactions = load_transactions(arguments.data)
    features = compute_features(transactions).astype(np.float32)

    def scored(directory, starts):
        folds = {}
        for start in starts:
            rows = split(transactions, start).test
            folds[start] = rows, score(directory / f"{start}.onnx", features[rows])
        return folds

    test = scored(arguments.models, TEST_STARTS)
    rows, scores = test[SINGLE_START]
    print_scenarios(transactions, rows, scores)
    print_calibration(transactions, rows, scores)
    print_thresholds(transactions, scored(arguments.validation, VALIDATION_STARTS), test)
    print_intervals(transactions, rows, scores)


if __name__ == "__main__":
    main()
