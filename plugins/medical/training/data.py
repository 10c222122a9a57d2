"""The two staged data sets, and pictures as the product hands them to a network."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CHEST_CLASSES = ("normal", "pneumonia")
BRAIN_CLASSES = ("glioma", "meningioma", "pituitary")
SPLITS = ("train", "val", "test")


@dataclass
class Set:
    """Pictures of one split.

    images: uint8 [n, h, w]. labels: int [n]. groups: what belongs together when balancing (subtype or class), [n].
    masks: uint8 [n, h, w], 1 where the tumour is, or None. files: names within the data set.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    masks: np.ndarray | None
    files: list[str]

    def __len__(self):
        return len(self.images)

    def part(self, chosen):
        """The pictures with the numbers `chosen`."""
        masks = None if self.masks is None else self.masks[chosen]
        files = [self.files[index] for index in chosen]
        return Set(self.images[chosen], self.labels[chosen], self.groups[chosen], masks, files)


def grey(path):
    """The picture as 8 bit grey."""
    with Image.open(path) as image:
        return image.convert("L")


def squash(image, size):
    """`image` stretched to a square, bicubic with antialiasing: what the product does to every picture."""
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def squashed(images, size):
    """uint8 [n, h, w] to uint8 [n, size, size]."""
    return np.stack([squash(Image.fromarray(image), size) for image in images])


def chest(folder):
    """Splits of the chest set, by name; label 1 is pneumonia, groups are normal, bacteria and virus."""
    names = ("normal", "bacteria", "virus")
    return _read(folder, lambda row: CHEST_CLASSES.index(row["label"]), lambda row: names.index(row["subtype"]))


def brain(folder):
    """Block-wise splits of the brain set, by name, with masks; the slices that guard the blocks are left out."""
    label = lambda row: BRAIN_CLASSES.index(row["label"])
    outlines = json.loads((Path(folder) / "tumor_polygons.json").read_text())
    splits = _read(folder, label, label)
    for part in splits.values():
        part.masks = np.stack([outline(outlines[file], part.images.shape[1]) for file in part.files])
    return splits


def outline(points, size):
    """uint8 [size, size] with 1 inside the polygon; `points` are fractions of the width and height."""
    image = Image.new("L", (size, size))
    # A pixel's number is that of its centre, half a pixel into it.
    ImageDraw.Draw(image).polygon([(x * size - 0.5, y * size - 0.5) for x, y in points], fill=1)
    return np.asarray(image)


def folder_images(paths, size):
    """uint8 [n, size, size] of any picture files."""
    return np.stack([squash(grey(path), size) for path in paths])


def _read(folder, label, group):
    folder = Path(folder)
    with open(folder / "labels.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    splits = {}
    for split in SPLITS:
        chosen = [row for row in rows if row["split"] == split]
        if not chosen:
            raise SystemExit(f"{folder}/labels.csv: no row of the split {split!r}")
        splits[split] = Set(
            np.stack([np.asarray(grey(folder / row["file"])) for row in chosen]),
            np.array([label(row) for row in chosen]),
            np.array([group(row) for row in chosen]),
            None,
            [row["file"] for row in chosen],
        )
    return splits
