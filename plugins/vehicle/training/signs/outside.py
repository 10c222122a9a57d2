"""Crops that hold no sign of the list, which the network must say it does not know."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import data

CROPS_MAX = 1000
# Sides of the crops, pixels of the photograph: what a detector may take for a sign.
SIDES = (16, 96)
# Names of boxes that may hold a sign or its like; a crop keeps away from them.
SIGNS = ("traffic_sign", "traffic_light")


def photographs(folder, split, seed=0):
    """uint8 [n, 32, 32, 3]: crops at random of the photographs of a COCO set; none touches a box of `SIGNS`."""
    folder = Path(folder)
    table = json.loads((folder / "annotations" / f"{split}.json").read_text(encoding="utf-8"))
    kinds = {kind["id"] for kind in table["categories"] if kind["name"] in SIGNS}
    boxes = {}
    for box in table["annotations"]:
        if box["category_id"] in kinds:
            boxes.setdefault(box["image_id"], []).append(box["bbox"])
    generator = np.random.default_rng(seed)
    images = table["images"]
    crops = []
    for index in range(CROPS_MAX):
        row = images[index % len(images)]
        with Image.open(folder / "images" / row["file_name"]) as photograph:
            crop = _crop(photograph, boxes.get(row["id"], []), generator)
        if crop is not None:
            crops.append(data.squash(crop))
    return np.stack(crops)


def _crop(photograph, boxes, generator):
    width, height = photograph.size
    for _ in range(20):
        side = int(np.exp(generator.uniform(*np.log(SIDES))))
        left, top = int(generator.integers(0, width - side)), int(generator.integers(0, height - side))
        apart = [x > left + side or x + w < left or y > top + side or y + h < top for x, y, w, h in boxes]
        if all(apart):
            return photograph.crop((left, top, left + side, top + side))
    return None


def synthetic():
    """Uniform crops and noise, by name."""
    generator = np.random.default_rng(0)
    shape = (100, data.SIDE, data.SIDE, 3)
    colours = generator.integers(0, 256, (100, 1, 1, 3))
    return {
        "uniform": np.broadcast_to(colours, shape).astype(np.uint8),
        "noise, uniform distribution": generator.integers(0, 256, shape).astype(np.uint8),
        "noise, normal distribution": np.clip(generator.normal(128, 40, shape), 0, 255).astype(np.uint8),
    }
