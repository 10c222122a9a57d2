"""Writes comparison.json: what SciPy, NumPy and scikit-learn answer for pairs of columns that the tests use.

Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_comparison.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import json
import pathlib

import numpy as np
from scipy import stats
from sklearn import metrics

SHARES = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0]
THRESHOLDS = (0.5, 0.4)  # from which on the old and the new model decide for class 1


def pairs():
    random = np.random.default_rng(23)

    def related(rows, noise, digits):
        old = random.beta(1, 3, rows)
        return old.round(digits), np.clip(old**1.2 + random.normal(0, noise, rows), 0, 1).round(digits)

    yield "one row", [0.3], [0.4]
    yield "two rows, same order", [0.2, 0.8], [0.1, 0.3]
    yield "two rows, turned round", [0.2, 0.8], [0.3, 0.1]
    yield "both constant", [0.3] * 5, [0.3] * 5
    yield "old constant", [0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]
    yield "new constant, not exact in binary", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.1] * 7
    yield "itself", *([random.random(30).round(3)] * 2)
    yield "backwards", np.linspace(0.01, 0.99, 25).round(3), np.linspace(0.99, 0.01, 25).round(3)
    yield "ties in both", [0.1, 0.1, 0.2, 0.2, 0.2, 0.9, 0.9, 0.4], [0.3, 0.1, 0.3, 0.3, 0.1, 0.9, 0.1, 0.9]
    yield "one pair moved", [0.5] * 9 + [0.1], [0.5] * 9 + [0.9]
    yield "no ties", *related(80, 0.1, 9)
    yield "heavy ties", *related(120, 0.2, 1)
    yield "hardly related", *related(200, 2.0, 3)
    yield "four leaves each", random.choice([0.01, 0.09, 0.55, 0.98], 300), random.choice([0.02, 0.1, 0.6], 300)
    yield "apart", random.uniform(0.0, 0.3, 40).round(4), random.uniform(0.6, 0.9, 40).round(4)
    yield "log odds, not probabilities", random.normal(0, 3, 50).round(3), random.normal(1, 2, 50).round(3)
    yield "small and great", random.normal(0, 1e-90, 60), random.normal(0, 1e90, 60)
    yield "close to one value", 1e6 + random.normal(0, 1e-3, 60), 1e6 + random.normal(0, 1e-3, 60)
    yield "signed zeros", [0.0, -0.0, 0.5, -0.5, 0.0], [-0.0, 0.0, 0.25, 0.0, -1.0]


def correlation(statistic, old, new):
    if np.ptp(old) == 0 or np.ptp(new) == 0:
        return None
    return float(statistic(old, new).statistic)


def unit(column):
    # SciPy squares what it gets, and small squares are 0. Neither a factor nor a constant changes Pearson's r.
    return (column - column.min()) / np.ptp(column)


def shift(old, new):
    difference = new - old
    return {
        "mean": float(np.mean(difference)),
        "mean_absolute": float(metrics.mean_absolute_error(old, new)),
        "root_mean_square": float(metrics.root_mean_squared_error(old, new)),
        "quantiles": [float(value) for value in np.quantile(difference, SHARES)],
        "kolmogorov_smirnov": float(stats.ks_2samp(old, new, method="asymp").statistic),
    }


def decisions(old, new, labels):
    classes = [(column >= threshold).astype(int) for column, threshold in zip((old, new), THRESHOLDS)]
    table = metrics.confusion_matrix(*classes, labels=[0, 1])
    known = labels >= 0
    right = [[metrics.accuracy_score(labels[rows], c[rows], normalize=False) for c in classes]
             for rows in [known & (classes[0] != classes[1])] if rows.any()]
    return {
        "agreement": float(metrics.accuracy_score(*classes)),
        "became_positive": int(table[0, 1]),
        "became_negative": int(table[1, 0]),
        "wrong": int(right[0][0]) if right else 0,
        "right": int(right[0][1]) if right else 0,
    }


def labelled(old, new, labels):
    known = labels >= 0
    truth = labels[known]
    if not known.any():
        return None
    both = 0 < truth.sum() < len(truth)
    answer = {"rows": int(known.sum()), "positives": int(truth.sum())}
    for name, column in (("old", old[known]), ("new", new[known])):
        probable = column.min() >= 0 and column.max() <= 1
        answer[name] = {
            "roc_auc": float(metrics.roc_auc_score(truth, column)) if both else None,
            "average_precision": float(metrics.average_precision_score(truth, column)) if truth.sum() else None,
            "log_loss": float(metrics.log_loss(truth, column, labels=[0, 1])) if probable else None,
            "brier_score": float(metrics.brier_score_loss(truth, column, pos_label=1, labels=[0, 1]))
            if probable
            else None,
        }
    return answer


def main():
    random = np.random.default_rng(29)
    cases = []
    for name, old, new in pairs():
        old, new = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
        labels = random.choice([-1, 0, 1], len(old), p=[0.3, 0.45, 0.25])  # -1: nothing is known
        spread = np.ptp(old) > 0 and np.ptp(new) > 0
        cases.append(
            {
                "name": name,
                "old": old.tolist(),
                "new": new.tolist(),
                "labels": labels.tolist(),
                "expected": {
                    "pearson": float(stats.pearsonr(unit(old), unit(new)).statistic) if spread else None,
                    "spearman": correlation(stats.spearmanr, old, new),
                    "kendall": correlation(stats.kendalltau, old, new),
                    "shift": shift(old, new),
                    "decisions": decisions(old, new, labels),
                    "labelled": labelled(old, new, labels),
                },
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({"shares": SHARES, "thresholds": THRESHOLDS}, separators=(",", ":"))[:-1]
    pathlib.Path(__file__).with_name("comparison.json").write_text(f'{head},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
