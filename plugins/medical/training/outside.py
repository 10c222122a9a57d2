"""Pictures that a network must say it does not know: other sets, uniform pictures, noise."""

import csv
from pathlib import Path

import numpy as np

import data
from evaluate import answers, auc

KINDS = (".jpg", ".jpeg", ".png")
PICTURES_MAX = 1000


def pictures(folder, size):
    """(paths, uint8 [n, size, size]) of at most `PICTURES_MAX` files below the folder, evenly spread over them."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in KINDS)
    if not paths:
        raise SystemExit(f"{folder}: no picture of the kinds {', '.join(KINDS)}")
    paths = paths[:: -(-len(paths) // PICTURES_MAX)]
    return paths, data.folder_images(paths, size)


def synthetic(size):
    """Uniform pictures and noise, by name."""
    generator = np.random.default_rng(0)
    shape = (30, size, size)
    return {
        "uniform": np.stack([np.full(shape[1:], level, np.uint8) for level in range(0, 256, 5)]),
        "noise, uniform distribution": generator.integers(0, 256, shape).astype(np.uint8),
        "noise, normal distribution": np.clip(generator.normal(128, 40, shape), 0, 255).astype(np.uint8),
    }


def flagged(network, images, threshold):
    """Share of the pictures whose distance is beyond the threshold, and the middle distance."""
    (distances,) = answers(network, images, ["novelty"])
    return {
        "pictures": len(images),
        "flagged": round(float((distances > threshold).mean()), 4),
        "median": round(float(np.median(distances)), 3),
    }


def measured(network, folders, size, threshold):
    """Flags of each outside set; where a set tells chest labels, also the AUC of all and of those not flagged."""
    found = {}
    for name, folder in folders.items():
        paths, images = pictures(folder, size)
        found[name] = flagged(network, images, threshold)
        labels = _labels(Path(folder), paths)
        if labels is not None and "score" in [output.name for output in network.get_outputs()]:
            scores, distances = answers(network, images, ["score", "novelty"])
            known = distances <= threshold
            found[name]["auc_of_all"] = round(float(auc(labels, scores)), 4)
            below = auc(labels[known], scores[known]) if known.any() else None
            found[name]["auc_of_not_flagged"] = None if below is None else round(float(below), 4)
            found[name]["not_flagged"] = [int((labels[known] == kind).sum()) for kind in (0, 1)]
    for name, images in synthetic(size).items():
        found[name] = flagged(network, images, threshold)
    return found


def _labels(folder, paths):
    """1 for pneumonia, 0 for normal, from labels.csv; None if the set has other labels or none."""
    table = folder / "labels.csv"
    if not table.exists():
        return None
    with open(table, encoding="utf-8", newline="") as file:
        told = {row["file"]: row.get("label") for row in csv.DictReader(file)}
    labels = [told.get(path.relative_to(folder).as_posix()) for path in paths]
    if set(labels) != set(data.CHEST_CLASSES):
        return None
    return np.array([data.CHEST_CLASSES.index(label) for label in labels])
