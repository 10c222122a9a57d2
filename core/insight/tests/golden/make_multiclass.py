"""Writes multiclass.json: what scikit-learn answers for several classes, for decisions at a threshold, and for masks.

Run it as make.py, in the same environment. The output depends on nothing but the pinned versions.
"""

import json
import pathlib

import numpy as np
from sklearn import metrics

random = np.random.default_rng(11)


def multiclass():
    for name, rows, classes, digits in [
        ("three classes", 60, 3, 6),
        ("three classes with ties", 60, 3, 1),
        ("five classes", 90, 5, 4),
        ("two classes", 12, 2, 3),
    ]:
        truths = np.concatenate([np.arange(classes), random.integers(0, classes, rows - classes)])
        logits = random.normal(0, 1, (rows, classes)) + 1.5 * np.eye(classes)[truths]
        scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        scores = scores.round(digits)
        decisions = scores.argmax(1)
        areas = [metrics.roc_auc_score(truths == c, scores[:, c]) for c in range(classes)]
        normal = scores / scores.sum(1, keepdims=True)
        if classes > 2 and digits > 3:  # where dividing by the sum leaves the order alone, the library's own mean
            macro = metrics.roc_auc_score(truths, normal, multi_class="ovr", average="macro")
            assert abs(macro - np.mean(areas)) < 1e-3
        precision, recall, f1, support = metrics.precision_recall_fscore_support(truths, decisions, zero_division=np.nan)
        yield {
            "name": name,
            "classes": classes,
            "scores": scores.ravel().tolist(),
            "truths": truths.tolist(),
            "expected": {
                "accuracy": metrics.accuracy_score(truths, decisions),
                "macro_auc": float(np.mean(areas)),
                "macro_recall": metrics.balanced_accuracy_score(truths, decisions),
                "roc_auc": areas,
                "recall": recall.tolist(),
                "precision": [None if np.isnan(value) else value for value in precision.tolist()],
                "f1": f1.tolist(),
                "rows": support.tolist(),
                "confusion": metrics.confusion_matrix(truths, decisions).tolist(),
            },
        }


def decisions():
    for name, rows, threshold in [("even", 40, 0.5), ("strict", 70, 0.8), ("nothing is flagged", 9, 1.5)]:
        labels = random.integers(0, 2, rows)
        labels[:2] = 0, 1
        scores = (0.4 * labels + 0.6 * random.random(rows)).round(3)
        flagged = scores >= threshold
        precision = metrics.precision_score(labels, flagged, zero_division=np.nan)
        yield {
            "name": name,
            "threshold": threshold,
            "scores": scores.tolist(),
            "labels": labels.tolist(),
            "expected": {
                "accuracy": metrics.accuracy_score(labels, flagged),
                "sensitivity": metrics.recall_score(labels, flagged),
                "specificity": metrics.recall_score(labels, flagged, pos_label=0),
                "precision": None if np.isnan(precision) else precision,
                "f1": metrics.f1_score(labels, flagged),
            },
        }


def masks():
    for name, share_found, share_drawn in [("alike", 0.4, 0.4), ("small", 0.05, 0.1), ("nothing found", 0.0, 0.3)]:
        drawn = random.random(64) < share_drawn
        found = np.where(random.random(64) < 0.7, drawn, random.random(64) < share_found) & (share_found > 0)
        yield {
            "name": name,
            "found": found.astype(int).tolist(),
            "drawn": drawn.astype(int).tolist(),
            "expected": {"dice": metrics.f1_score(drawn, found), "jaccard": metrics.jaccard_score(drawn, found)},
        }


document = {"multiclass": list(multiclass()), "decisions": list(decisions()), "masks": list(masks())}
path = pathlib.Path(__file__).with_name("multiclass.json")
path.write_text(json.dumps(document, indent=1) + "\n")
