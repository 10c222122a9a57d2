"""Figures of a written network, through ONNX Runtime."""

import time

import numpy as np
import onnxruntime
from sklearn.metrics import roc_auc_score

ROWS = 32
RESAMPLES = 1000
# Bins of the expected calibration error, of equal width.
BINS = 15


def session(path):
    """One thread, as the figures of speed say."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(network, images, names):
    """Outputs `names` for uint8 [n, h, w], one array each."""
    parts = [
        network.run(names, {"image": images[first : first + ROWS, :, :, None]})
        for first in range(0, len(images), ROWS)
    ]
    return [np.concatenate(part) for part in zip(*parts)]


def speed(network, size):
    """Milliseconds of processor time a picture, alone and in a batch of 32."""
    found = {}
    for rows, repeats in ((1, 30), (32, 3)):
        images = np.random.default_rng(0).integers(0, 256, (rows, size, size, 1)).astype(np.uint8)
        network.run(None, {"image": images})
        begin = time.process_time()
        for _ in range(repeats):
            network.run(None, {"image": images})
        found[f"batch_{rows}_ms"] = round((time.process_time() - begin) * 1000 / repeats / rows, 2)
    return found


def interval(figure, *columns):
    """[low, high], 95 %, of figure(*columns), resampling pictures; resamples that lack a class are left out."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        chosen = generator.integers(0, len(columns[0]), len(columns[0]))
        value = figure(*(column[chosen] for column in columns))
        if value is not None:
            found.append(value)
    return [round(float(value), 4) for value in np.quantile(found, [0.025, 0.975])]


def with_interval(figure, *columns):
    """{"value", "interval"} of a figure."""
    return {"value": round(float(figure(*columns)), 4), "interval": interval(figure, *columns)}


def auc(labels, scores):
    """Area under the receiver operating characteristic; None without both classes."""
    return roc_auc_score(labels, scores) if 0 < labels.sum() < len(labels) else None


def macro_auc(labels, scores):
    """Mean of the areas of each class against the others, [n, k]."""
    found = [auc(labels == kind, scores[:, kind]) for kind in range(scores.shape[1])]
    return None if None in found else float(np.mean(found))


def binary(labels, scores, threshold):
    """AUC, and accuracy, sensitivity and specificity at the threshold, with intervals."""

    def share(kind):
        def figure(labels, called):
            chosen = called[labels == kind]
            return (chosen == kind).mean() if len(chosen) else None

        return figure

    called = (scores >= threshold).astype(int)
    return {
        "auc": with_interval(auc, labels, scores),
        "accuracy": with_interval(lambda labels, called: (labels == called).mean(), labels, called),
        "sensitivity": with_interval(share(1), labels, called),
        "specificity": with_interval(share(0), labels, called),
    }


def several(labels, scores, classes):
    """Macro AUC, accuracy and the recall of each class, with intervals."""
    called = scores.argmax(1)
    figures = {
        "macro_auc": with_interval(macro_auc, labels, scores),
        "accuracy": with_interval(lambda labels, called: (labels == called).mean(), labels, called),
    }
    for kind, name in enumerate(classes):
        chosen = called[labels == kind]
        figures[f"recall_{name}"] = with_interval(lambda called, kind=kind: (called == kind).mean(), chosen)
    figures["confusion"] = [
        [int(((labels == row) & (called == column)).sum()) for column in range(len(classes))]
        for row in range(len(classes))
    ]
    return figures


def calibration_error(labels, scores):
    """Expected calibration error: of the score of class 1, or of the most likely one where scores are [n, k]."""
    if scores.ndim == 1:
        certain, right = scores, labels == 1
    else:
        certain, right = scores.max(1), scores.argmax(1) == labels
    bins = np.minimum((certain * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == number).mean() * abs(certain[bins == number].mean() - right[bins == number].mean())
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(np.sum(gaps))


def dice(masks, likely, threshold):
    """Dice coefficient of each picture, [n]; masks bool, likely float, both [n, h, w]."""
    called = likely >= threshold
    shared = (masks & called).sum((1, 2))
    return 2 * shared / np.maximum(1, masks.sum((1, 2)) + called.sum((1, 2)))
