"""Random changes to training pictures: window, aspect ratio, mirror, mosaic, colours.

Geometry is one resize of Pillow a picture, so that pixels look as the product's resizing makes them look.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from data import IGNORED, Picture

# Grey level outside the picture.
OUTSIDE = 114
# A box of which less than this is left inside the window is ignored, not learned.
VISIBLE_MIN = 0.35
# A box whose shorter side is less than this is ignored, in pixels of the network's input.
SIDE_MIN = 3.0
# Share of red, green and blue in a grey level (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Strength:
    """How much is changed. zoom: range of the magnification; aspect: largest logarithm of the change of width/height."""

    mosaic: float
    zoom: tuple
    mosaic_zoom: tuple
    aspect: float
    colour: float


STRONG = Strength(mosaic=0.5, zoom=(0.6, 1.8), mosaic_zoom=(0.9, 2.0), aspect=0.45, colour=1.0)
# For the last epochs: near to what the network will meet.
GENTLE = Strength(mosaic=0.0, zoom=(0.85, 1.3), mosaic_zoom=(1.0, 1.0), aspect=0.25, colour=0.5)


def placed(picture, width, height, zoom, aspect, generator):
    """A random window of the picture, mirrored or not: (uint8 [height, width, 3], boxes, classes)."""
    tall, wide = picture.image.shape[:2]
    factor = np.exp(generator.uniform(*np.log(zoom)))
    stretch = np.exp(generator.uniform(-aspect, aspect) / 2)
    across, down = wide / factor * stretch, tall / factor / stretch
    left = generator.uniform(min(0, wide - across), max(0, wide - across))
    top = generator.uniform(min(0, tall - down), max(0, tall - down))
    part = (max(0.0, left), max(0.0, top), min(float(wide), left + across), min(float(tall), top + down))
    scale = np.array([width / across, height / down] * 2, np.float32)
    origin = np.array([left, top] * 2, np.float32)
    x0, y0, x1, y1 = np.rint((np.array(part) - origin) * scale).astype(int)
    canvas = np.full((height, width, 3), OUTSIDE, np.uint8)
    patch = Image.fromarray(picture.image).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=part)
    canvas[y0:y1, x0:x1] = np.asarray(patch)
    boxes = (picture.boxes - origin) * scale
    if generator.random() < 0.5:
        canvas = canvas[:, ::-1]
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    return canvas, *kept(boxes, picture.classes, width, height)


def kept(boxes, classes, width, height):
    """Boxes cut at the borders; those of which too little is left become regions to ignore, or go."""
    cut = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
    sides, whole = cut[:, 2:] - cut[:, :2], boxes[:, 2:] - boxes[:, :2]
    visible = sides.prod(1) / np.maximum(whole.prod(1), 1e-6)
    classes = np.where((visible < VISIBLE_MIN) | (sides.min(1, initial=np.inf) < SIDE_MIN), IGNORED, classes)
    left = sides.min(1, initial=np.inf) > 0
    return cut[left], classes[left]


def mosaic(pictures, side, strength, generator):
    """Four pictures around a random point."""
    x, y = generator.integers(round(0.3 * side), round(0.7 * side), 2)
    canvas = np.empty((side, side, 3), np.uint8)
    boxes, classes = [], []
    for number, picture in enumerate(pictures):
        left, right = (0, x) if number % 2 == 0 else (x, side)
        top, bottom = (0, y) if number < 2 else (y, side)
        patch, found, kinds = placed(
            picture, right - left, bottom - top, strength.mosaic_zoom, strength.aspect, generator
        )
        canvas[top:bottom, left:right] = patch
        boxes.append(found + np.array([left, top] * 2, np.float32))
        classes.append(kinds)
    return canvas, np.concatenate(boxes), np.concatenate(classes)


def changed(pictures, index, side, strength, generator):
    """Picture `index`, changed: a `Picture` of the given side. The tiles of a mosaic know the same classes."""
    picture = pictures[index]
    if generator.random() < strength.mosaic:
        alike = [number for number in range(len(pictures)) if pictures[number].source == picture.source]
        others = [pictures[alike[number]] for number in generator.integers(0, len(alike), 3)]
        image, boxes, classes = mosaic([picture, *others], side, strength, generator)
    else:
        image, boxes, classes = placed(picture, side, side, strength.zoom, strength.aspect, generator)
    return Picture(image, boxes, classes, picture.known, picture.source, picture.file)


def coloured(images, strength, generator):
    """Levels 0..255, float [n, 3, h, w], with other brightness, contrast, saturation and tint for each picture."""
    count, amount = len(images), strength.colour
    saturation = np.exp(generator.normal(0, 0.35 * amount, count))
    saturation[generator.random(count) < 0.05 * amount] = 0
    contrast = np.exp(generator.normal(0, 0.25 * amount, count))
    tint = np.exp(generator.normal(0, 0.08 * amount, (count, 3)))
    shift = generator.normal(0, 18 * amount, count)
    matrix = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * np.array(LUMA)
    matrix = torch.from_numpy(matrix * (contrast[:, None] * tint)[:, :, None]).float()
    # Contrast turns around the middle grey.
    offset = torch.from_numpy(128 * (1 - contrast) + shift).float()[:, None, None, None]
    return (torch.einsum("nij,njhw->nihw", matrix, images) + offset).clamp(0, 255)
