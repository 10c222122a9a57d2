"""The German Traffic Sign Recognition Benchmark as it is staged, and what its classes are called."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# Pixels of a side of a crop. It is what the sheets hold and what the network sees.
SIDE = 32
SPLITS = ("train", "val", "test")
# In the order of the benchmark's class numbers, 0 to 42 (Stallkamp et al. 2012, Neural Networks 32, fig. 1).
CLASSES = (
    "speed limit 20",
    "speed limit 30",
    "speed limit 50",
    "speed limit 60",
    "speed limit 70",
    "speed limit 80",
    "end of speed limit 80",
    "speed limit 100",
    "speed limit 120",
    "no passing",
    "no passing for trucks",
    "right of way at next crossing",
    "priority road",
    "yield",
    "stop",
    "no vehicles",
    "no trucks",
    "no entry",
    "general danger",
    "curve left",
    "curve right",
    "double curve",
    "bumpy road",
    "slippery road",
    "road narrows on the right",
    "road work",
    "traffic signals",
    "pedestrians",
    "children",
    "bicycles",
    "ice or snow",
    "wild animals",
    "end of all limits",
    "turn right ahead",
    "turn left ahead",
    "ahead only",
    "ahead or right",
    "ahead or left",
    "keep right",
    "keep left",
    "roundabout",
    "end of no passing",
    "end of no passing for trucks",
)
# What a sign becomes in a mirror, where that is a sign of this list. Digits and others that a mirror would make wrong are
# never mirrored. Five warnings are put up either way, their figure walking towards the road from either side (the
# variants 10 and 20 of the signs 123, 133, 136, 138 and 142 in the German catalogue of traffic signs).
PAIRS = ((19, 20), (33, 34), (36, 37), (38, 39))
SYMMETRIC = (11, 12, 13, 15, 17, 18, 22, 26, 30, 35)
EITHER_WAY = (25, 27, 28, 29, 31)
MIRRORED = {kind: kind for kind in SYMMETRIC + EITHER_WAY}
MIRRORED |= {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}
# What stays itself when it is turned by half a turn.
HALF_TURN = (12, 15, 17, 32)


@dataclass
class Set:
    """Crops of one split.

    images: uint8 [n, 32, 32, 3]. labels: int64 [n]. tracks: str [n], crops of one physical sign share it; empty for the
    test split, whose tracks are not told.
    """

    images: np.ndarray
    labels: np.ndarray
    tracks: np.ndarray

    def __len__(self):
        return len(self.images)

    def __add__(self, other):
        return Set(*(np.concatenate(pair) for pair in zip(self.columns(), other.columns())))

    def columns(self):
        return self.images, self.labels, self.tracks


def read(folder, split):
    """One split, in the order of its table."""
    folder = Path(folder)
    with open(folder / f"{split}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise SystemExit(f"{folder}/{split}.csv: no row")
    sheets = {}
    images = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)
    for image, row in zip(images, rows):
        name = row["sheet"]
        if name not in sheets:
            with Image.open(folder / name) as sheet:
                sheets[name] = np.asarray(sheet.convert("RGB"))
        top, left = int(row["row"]) * SIDE, int(row["col"]) * SIDE
        image[:] = sheets[name][top : top + SIDE, left : left + SIDE]
    labels = np.array([int(row["class_id"]) for row in rows])
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise SystemExit(f"{folder}/{split}.csv: class_id {labels.min()} to {labels.max()}; expected 0 to 42")
    return Set(images, labels, np.array([row["track"] for row in rows]))


def squash(image):
    """`image` stretched to the network's square, bilinear with antialiasing: what the product does to every crop."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
