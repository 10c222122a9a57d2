"""The sets: pictures, boxes in one numbering of classes, and which classes each set has labelled."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("car", "truck", "bus", "motorcycle", "bicycle", "person", "traffic light", "traffic sign")
CAR, TRUCK, BUS, MOTORCYCLE, BICYCLE, PERSON, LIGHT, SIGN = range(len(NAMES))
# Class of a region of which nothing may be learned.
IGNORED = -1
# Grey level beside a picture that does not fill the network's input.
OUTSIDE = 114


@dataclass(frozen=True)
class Source:
    """A data set. `classes`: its category names to ours; `known`: classes whose absence in a picture means something."""

    classes: dict
    known: tuple
    # Photographs, whose unlabelled classes the COCO detector may label.
    real: bool


SOURCES = {
    "highway_ccby": Source(
        {"car": CAR, "truck": TRUCK, "bus": BUS, "motorbike": MOTORCYCLE, "person": PERSON},
        (CAR, TRUCK, BUS, MOTORCYCLE, PERSON),
        True,
    ),
    # An ambulance is a van to some and a lorry to others.
    "vehicles_openimages_ccby": Source(
        {"car": CAR, "truck": TRUCK, "bus": BUS, "motorcycle": MOTORCYCLE, "ambulance": IGNORED},
        (CAR, TRUCK, BUS, MOTORCYCLE),
        True,
    ),
    # "vehicle" is anything on four wheels or more, so that nothing is known of lorries and buses; riders of bicycles and
    # motorcycles are not labelled as people.
    "carla_mit": Source(
        {"vehicle": CAR, "bike": BICYCLE, "motobike": MOTORCYCLE, "traffic_light": LIGHT, "traffic_sign": SIGN},
        (CAR, BICYCLE, MOTORCYCLE, LIGHT, SIGN),
        False,
    ),
}


@dataclass(frozen=True)
class Picture:
    """One picture with its boxes.

    image: uint8 [h, w, 3], red, green, blue; boxes: float32 [k, 4], left, top, right, bottom in pixels; classes: int64
    [k], `IGNORED` where nothing may be learned; known: bool [8], classes that are labelled.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    known: np.ndarray
    source: str
    file: str


def loaded(root, source, split):
    """The pictures of one split of a set below `root`, in the order of its list."""
    folder = Path(root) / source
    listed = json.loads((folder / "annotations" / f"{split}.json").read_text())
    kind = SOURCES[source]
    categories = {category["id"]: kind.classes[category["name"]] for category in listed["categories"]}
    boxes = {entry["id"]: [] for entry in listed["images"]}
    for entry in listed["annotations"]:
        left, top, width, height = entry["bbox"]
        boxes[entry["image_id"]].append((left, top, left + width, top + height, categories[entry["category_id"]]))
    known = np.isin(np.arange(len(NAMES)), kind.known)
    found = []
    for entry in listed["images"]:
        with Image.open(folder / "images" / entry["file_name"]) as image:
            pixels = np.asarray(image.convert("RGB"))
        rows = np.array(boxes[entry["id"]], np.float32).reshape(-1, 5)
        found.append(Picture(pixels, rows[:, :4], rows[:, 4].astype(np.int64), known, source, entry["file_name"]))
    return found


def squashed(image, width, height):
    """uint8 [h, w, 3] stretched to [height, width, 3], as the product does it."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def fitted(image, side):
    """(uint8 [side, side, 3] with the picture in the top left corner, grey elsewhere; its magnification)."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    small = squashed(image, round(width * scale), round(height * scale))
    canvas = np.full((side, side, 3), OUTSIDE, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, scale


def joined(picture, boxes, classes):
    """The picture with more boxes."""
    return replace(
        picture,
        boxes=np.concatenate([picture.boxes, np.asarray(boxes, np.float32).reshape(-1, 4)]),
        classes=np.concatenate([picture.classes, np.asarray(classes, np.int64)]),
    )
