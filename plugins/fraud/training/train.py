"""Trains the feed-forward fraud model, writes it as ONNX and measures what was written.

Writes OUT/folds/START.onnx for every training week and OUT/metrics.json.

    python train.py --data DIR --out DIR                     one model, training week from 2018-07-25
    python train.py --data DIR --out DIR --folds             the four test folds
    python train.py --data DIR --out DIR --folds --validate  the four validation folds, where settings are chosen
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import network
from features import compute_features, load_transactions
from protocol import METRICS, TEST_STARTS, VALIDATION_STARTS, evaluate, split

SETTINGS = {"members": 4, "units": 64, "epochs": 15, "batch": 256, "rate": 2e-2, "seed": 0}
# The model which ships, and the single split of the published chapters.
SINGLE_START = "2018-07-25"


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def score(path, features):
    return session(path).run(["score"], {"features": features.astype(np.float32)})[0]


def train_fold(transactions, features, start, directory):
    """Trains on the week from `start`; returns the metrics of the written file on its test week."""
    part = split(transactions, start)
    started = time.perf_counter()
    trained = network.train(features[part.train], transactions.fraud[part.train], **SETTINGS)
    seconds = time.perf_counter() - started
    path = directory / "folds" / f"{start}.onnx"
    onnx.save(network.to_onnx(trained, f"foretell fraud feed-forward, training week from {start}"), path)
    metrics = evaluate(transactions, part.test, score(path, features[part.test]))
    figures = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    print(f"{start}  {figures}  ({seconds:.0f} s, {path.stat().st_size / 1024:.0f} KiB)", flush=True)
    return metrics


def summary(folds):
    table = np.array([[metrics[name] for name in METRICS] for metrics in folds.values()])
    mean, deviation = table.mean(axis=0), table.std(axis=0)
    return {
        "mean": dict(zip(METRICS, mean.tolist())),
        "standard_deviation": dict(zip(METRICS, deviation.tolist())),
    }


def main():
    parser = argparse.ArgumentParser(description="Train the feed-forward fraud model and measure it.")
    parser.add_argument("--data", required=True, type=Path, help="directory of transactions.parquet")
    parser.add_argument("--out", required=True, type=Path, help="directory for folds/START.onnx and metrics.json")
    parser.add_argument("--start", default=SINGLE_START, help="first day of the training week (YYYY-MM-DD)")
    parser.add_argument("--folds", action="store_true", help="all four folds instead of one start")
    parser.add_argument("--validate", action="store_true", help="with --folds: the validation folds")
    arguments = parser.parse_args()
    if arguments.validate and not arguments.folds:
        parser.error("--validate needs --folds")
    torch.set_num_threads(1)
    transactions = load_transactions(arguments.data)
    features = compute_features(transactions).astype(np.float32)
    starts = [arguments.start]
    if arguments.folds:
        starts = VALIDATION_STARTS if arguments.validate else TEST_STARTS
    (arguments.out / "folds").mkdir(parents=True, exist_ok=True)
    folds = {start: train_fold(transactions, features, start, arguments.out) for start in starts}
    report = {"settings": SETTINGS, "folds": folds}
    if arguments.folds:
        report |= summary(folds)
        for name in METRICS:
            print(f"{name}: {report['mean'][name]:.4f} +- {report['standard_deviation'][name]:.4f}")
    if SINGLE_START in folds:
        report["single"] = {"start": SINGLE_START, **folds[SINGLE_START]}
    (arguments.out / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
