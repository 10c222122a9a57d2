"""Figures of a written network, through ONNX Runtime."""

import time

import numpy as np
import onnxruntime

from data import CLASSES, SIDE

ROWS = 256
RESAMPLES = 1000
# Bins of the expected calibration error, of equal width.
BINS = 15
# Of the standard normal distribution, for intervals of 95 %.
QUANTILE = 1.959964


def session(path):
    """One thread, as the figures of speed say."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(network, images):
    """(probability [n, 43], distance [n]) of uint8 [n, 32, 32, 3]."""
    parts = [
        network.run(["probability", "distance"], {"image": images[first : first + ROWS]})
        for first in range(0, len(images), ROWS)
    ]
    probability, distance = (np.concatenate(part) for part in zip(*parts))
    return probability, distance[:, 0]


def speed(network):
    """Milliseconds of processor time a crop, alone and in a batch of 32."""
    found = {}
    for rows, repeats in ((1, 200), (32, 20)):
        images = np.random.default_rng(0).integers(0, 256, (rows, SIDE, SIDE, 3)).astype(np.uint8)
        network.run(None, {"image": images})
        begin = time.process_time()
        for _ in range(repeats):
            network.run(None, {"image": images})
        found[f"batch_{rows}_ms"] = round((time.process_time() - begin) * 1000 / repeats / rows, 3)
    return found


def share(right, count):
    """{"value", "interval"} of right of count, 95 % (Wilson 1927): as if crops were independent of each other."""
    part, spread = right / count, QUANTILE**2 / count
    centre = (part + spread / 2) / (1 + spread)
    half = QUANTILE * np.sqrt(part * (1 - part) / count + spread / count / 4) / (1 + spread)
    return {"value": round(part, 4), "interval": [round(float(centre - half), 4), round(float(centre + half), 4)]}


def by_track(right, tracks):
    """[low, high], 95 %, of the share that is right, resampling whole tracks."""
    _, number = np.unique(tracks, return_inverse=True)
    good, all_ = np.bincount(number, right), np.bincount(number)
    chosen = np.random.default_rng(0).integers(0, len(all_), (RESAMPLES, len(all_)))
    found = good[chosen].sum(1) / all_[chosen].sum(1)
    return [round(float(value), 4) for value in np.quantile(found, [0.025, 0.975])]


def figures(labels, probability, tracks=None):
    """Accuracy, cross-entropy, calibration error, recall and precision of each class, and the commonest mistakes."""
    called = probability.argmax(1)
    right = called == labels
    found = {"crops": len(labels), "wrong": int((~right).sum()), "accuracy": share(int(right.sum()), len(right))}
    if tracks is not None:
        found["accuracy"]["interval_of_tracks"] = by_track(right, tracks)
    likely = probability[np.arange(len(labels)), labels]
    found["cross_entropy"] = round(float(-np.log(np.maximum(likely, 1e-12)).mean()), 4)
    found["calibration_error"] = round(calibration_error(labels, probability), 4)
    found["second_included"] = round(float((np.argsort(probability, 1)[:, -2:] == labels[:, None]).any(1).mean()), 4)
    classes = {}
    for kind, name in enumerate(CLASSES):
        hits = int((right & (labels == kind)).sum())
        classes[name] = {"crops": int((labels == kind).sum())}
        classes[name] |= {"recall": round(hits / max(1, classes[name]["crops"]), 4)}
        classes[name] |= {"precision": round(hits / max(1, int((called == kind).sum())), 4)}
    found["classes"] = classes
    pairs, counts = np.unique(np.stack([labels, called])[:, ~right], axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:12]
    found["mistakes"] = [
        {"sign": CLASSES[pairs[0, index]], "called": CLASSES[pairs[1, index]], "crops": int(counts[index])}
        for index in order
    ]
    return found


def calibration_error(labels, probability):
    """Expected calibration error of the most likely class."""
    certain, right = probability.max(1), probability.argmax(1) == labels
    bins = np.minimum((certain * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == number).mean() * abs(certain[bins == number].mean() - right[bins == number].mean())
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(np.sum(gaps))


def flagged(distances, threshold):
    """Share of the crops whose distance is beyond the threshold, and the middle distance."""
    return {
        "crops": len(distances),
        "flagged": round(float((distances > threshold).mean()), 4),
        "median": round(float(np.median(distances)), 3),
    }
