"""Writes classification.json: what scikit-learn answers for the columns that the tests use.

Run it in an environment outside this repository:

    python3 -m venv "$HOME/golden" && "$HOME/golden/bin/pip" install -r requirements.txt
    "$HOME/golden/bin/python" make.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import json
import pathlib

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

BINS = 10
CURVE_ROWS_MAX = 60  # longer cases carry no curves: the file stays small


def columns():
    random = np.random.default_rng(7)

    def scored(rows, positives, spread, digits):
        labels = np.zeros(rows, dtype=int)
        labels[random.choice(rows, positives, replace=False)] = 1
        return random.beta(1 + spread * labels, 1 + spread * (1 - labels)).round(digits), labels

    yield "two rows, right order", [0.2, 0.8], [0, 1]
    yield "two rows, wrong order", [0.8, 0.2], [0, 1]
    yield "two rows, tied", [0.5, 0.5], [0, 1]
    yield "separated", [0.1, 0.2, 0.3, 0.7, 0.8], [0, 0, 0, 1, 1]
    yield "constant", [0.3] * 9, [0, 0, 1, 0, 0, 1, 0, 0, 1]
    yield "one row, positive", [0.9], [1]
    yield "all negative", [0.1, 0.4, 0.4], [0, 0, 0]
    yield "all positive", [0.1, 0.4, 0.4, 0.9], [1, 1, 1, 1]
    yield "last is the only positive", np.linspace(0.99, 0.01, 50).round(2), [0] * 49 + [1]
    yield "exact 0 and 1, mistaken once each", [0.0, 1.0, 0.0, 1.0, 0.5], [0, 1, 1, 0, 1]
    yield "bin edges", [b / 10 for b in range(11)] * 2, [0] * 11 + [1] * 11
    yield "heavy ties", *scored(60, 20, 1, 1)
    yield "no ties", *scored(60, 25, 2, 8)
    yield "four leaves", random.choice([0.004, 0.09, 0.95, 0.98], 400, p=[0.9, 0.06, 0.02, 0.02]), (
        random.random(400) < 0.05
    ).astype(int)
    yield "extreme imbalance", *scored(3000, 3, 2, 3)
    yield "log odds, not probabilities", random.normal(0, 3, 40).round(3), random.integers(0, 2, 40)
    yield "signed zeros and infinities", [float("-inf"), -0.0, 0.0, 2.5, float("inf"), 0.0], [0, 1, 0, 0, 1, 1]


def number(value):
    value = float(value)
    return value if np.isfinite(value) else {np.inf: "inf", -np.inf: "-inf"}[value]


def expected(scores, labels, counts):
    both, some = 0 < labels.sum() < len(labels), labels.sum() > 0
    drawn = counts > 0
    drawn_both = 0 < labels[drawn].sum() < drawn.sum()
    finite = np.where(np.isinf(scores), np.sign(scores) * 1e9, scores)  # the same order, which is all that counts
    answer = {
        "roc_auc": metrics.roc_auc_score(labels, finite) if both else None,
        "average_precision": metrics.average_precision_score(labels, finite) if some else None,
        "roc_auc_of_draw": metrics.roc_auc_score(labels, finite, sample_weight=counts) if drawn_both else None,
        "average_precision_of_draw": metrics.average_precision_score(labels, finite, sample_weight=counts)
        if labels[drawn].sum()
        else None,
        "decisions": [decisions(scores, labels, threshold) for threshold in (0.05, 0.3, 0.5, 0.95)],
    }
    if scores.min() >= 0 and scores.max() <= 1:
        answer["log_loss"] = metrics.log_loss(labels, scores, labels=[0, 1])
        answer["brier_score"] = metrics.brier_score_loss(labels, scores, pos_label=1, labels=[0, 1])
        if both:
            rate, mean = calibration_curve(labels, scores, n_bins=BINS)
            bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], scores)
            rows = np.bincount(bins, minlength=BINS)
            rows = rows[rows > 0]
            answer["calibration"] = {
                "expected_error": float(np.sum(rows / len(scores) * np.abs(rate - mean))),
                "curve": [[int(n), float(m), float(r)] for n, m, r in zip(rows, mean, rate)],
            }
    if both and len(scores) <= CURVE_ROWS_MAX and np.isfinite(scores).all():
        false_rate, true_rate, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
        precision, recall, _ = metrics.precision_recall_curve(labels, scores)
        answer["roc_curve"] = np.column_stack([false_rate, true_rate]).tolist()
        answer["precision_recall_curve"] = np.column_stack([precision, recall])[::-1].tolist()
    return answer


def decisions(scores, labels, threshold):
    flagged = (scores >= threshold).astype(int)
    (true_negative, false_positive), (false_negative, true_positive) = metrics.confusion_matrix(
        labels, flagged, labels=[0, 1]
    ).tolist()
    ratios = [
        metrics.precision_score(labels, flagged, zero_division=np.nan),
        metrics.recall_score(labels, flagged, zero_division=np.nan),
        metrics.f1_score(labels, flagged, zero_division=np.nan),
    ]
    return {
        "threshold": threshold,
        "counts": [true_positive, false_positive, true_negative, false_negative],
        "ratios": [None if np.isnan(ratio) else float(ratio) for ratio in ratios],
    }


def main():
    random = np.random.default_rng(11)
    cases = []
    for name, scores, labels in columns():
        scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
        rows = len(scores)
        counts = np.bincount(random.integers(0, rows, rows), minlength=rows)
        cases.append(
            {
                "name": name,
                "scores": [number(score) for score in scores],
                "labels": labels.tolist(),
                "counts": counts.tolist(),
                "expected": expected(scores, labels, counts),
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    pathlib.Path(__file__).with_name("classification.json").write_text(f'{{"bins":{BINS},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
