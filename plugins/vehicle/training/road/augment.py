"""Random changes to training pictures: window, aspect ratio, mirror, mosaic, objects of other pictures, colours.

Geometry is one resize of Pillow a picture, so that pixels look as the product's resizing makes them look.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from data import BICYCLE, IGNORED, MOTORCYCLE, OUTSIDE, PERSON, Picture

# A box of which less than this is left inside the window is ignored, not learned.
VISIBLE_MIN = 0.35
# A box whose shorter side is less than this is ignored, in pixels of the network's input.
SIDE_MIN = 3.0
# What is pasted, as small as it stands in the background of other pictures: few of a set's pictures show that.
PASTED = (MOTORCYCLE, BICYCLE, PERSON)
PASTED_MAX = 3
# Height of a pasted object, in pixels of the network's input; it is never made larger.
PASTED_HEIGHT = (14.0, 90.0)
# What surrounds a pasted object, as a share of its sides; most of it fades into the picture.
MARGIN, FADE = 0.2, 0.12
# Of an object that is there already at most so much is covered; a pasted patch is at most so far in front of others.
COVERED_MAX, BEFORE_MAX = 0.2, 0.4
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
    # Share of pictures into which objects of others are pasted.
    paste: float


STRONG = Strength(mosaic=0.5, zoom=(0.6, 1.8), mosaic_zoom=(1.0, 2.0), aspect=0.3, colour=1.0, paste=0.5)
# For the last epochs: near to what the network will meet.
GENTLE = Strength(mosaic=0.0, zoom=(0.7, 1.3), mosaic_zoom=(1.0, 1.0), aspect=0.1, colour=0.5, paste=0.3)


def placed(picture, width, height, zoom, aspect, generator):
    """A random window of the picture, mirrored or not: (uint8 [height, width, 3], boxes, classes)."""
    tall, wide = picture.image.shape[:2]
    factor = np.exp(generator.uniform(*np.log(zoom)))
    stretch = np.exp(generator.uniform(-aspect, aspect) / 2)
    scale = factor * min(width / wide, height / tall)
    across, down = width / scale * stretch, height / scale / stretch
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
        canvas, boxes = mirrored(canvas, boxes)
    return canvas, *kept(boxes, picture.classes, width, height)


def mirrored(image, boxes):
    width = image.shape[1]
    return image[:, ::-1], np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


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


class Pool:
    """Pictures, those of each set together, and the objects of each set that can be pasted."""

    def __init__(self, pictures):
        self.pictures, self.alike, self.objects = pictures, {}, {}
        for picture in pictures:
            self.alike.setdefault(picture.source, []).append(picture)
            # In the pictures of a set only what that set has labelled may appear.
            wanted = [kind for kind in PASTED if picture.known[kind]]
            found = np.flatnonzero(np.isin(picture.classes, wanted))
            self.objects.setdefault(picture.source, []).extend((picture, number) for number in found)


def pasted(image, boxes, classes, objects, generator):
    """The picture with some of the objects in front: (uint8, boxes, classes)."""
    image = image.copy()
    for _ in range(generator.integers(1, PASTED_MAX + 1)):
        picture, number = objects[generator.integers(len(objects))]
        patch, found, kinds = cropped(picture, number, generator)
        height, width = patch.shape[:2]
        space = np.array([image.shape[1] - width, image.shape[0] - height])
        if min(height, width) < SIDE_MIN or space.min() < 0:
            continue
        left, top = (generator.random(2) * (space + 1)).astype(int)
        place = np.array([left, top, left + width, top + height])
        shared = np.clip(np.minimum(boxes[:, 2:], place[2:]) - np.maximum(boxes[:, :2], place[:2]), 0, None).prod(1)
        whole = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1)
        if (shared > COVERED_MAX * whole).any() or (shared > BEFORE_MAX * height * width).any():
            continue
        # 0 at the border, 1 from a share of the side on.
        down, across = (np.minimum(way, way[::-1]) for way in ((np.arange(size) + 0.5) / size for size in (height, width)))
        alpha = np.clip(np.minimum(down[:, None], across) / FADE, 0, 1)[:, :, None]
        region = image[top : top + height, left : left + width]
        image[top : top + height, left : left + width] = np.rint(patch * alpha + region * (1 - alpha))
        boxes = np.concatenate([boxes, found + np.array([left, top] * 2, np.float32)])
        classes = np.concatenate([classes, kinds])
    return image, boxes, classes


def cropped(picture, number, generator):
    """An object of a picture with what surrounds it, made small, mirrored or not: (uint8, boxes, classes)."""
    box, (tall, wide) = picture.boxes[number], picture.image.shape[:2]
    sides = box[2:] - box[:2]
    low = np.maximum(box[:2] - MARGIN * sides, 0)
    high = np.minimum(box[2:] + MARGIN * sides, [wide, tall])
    scale = min(1, np.exp(generator.uniform(*np.log(PASTED_HEIGHT))) / sides[1])
    width, height = np.maximum(np.rint((high - low) * scale), 1).astype(int)
    part = Image.fromarray(picture.image).resize(
        (width, height), Image.Resampling.BILINEAR, box=tuple(float(value) for value in (*low, *high))
    )
    patch, boxes = np.asarray(part), (picture.boxes - np.tile(low, 2)) * scale
    if generator.random() < 0.5:
        patch, boxes = mirrored(patch, boxes)
    return patch, *kept(boxes, picture.classes, width, height)


def changed(pool, index, side, strength, generator):
    """Picture `index`, changed: a `Picture` of the given side. The tiles of a mosaic know the same classes."""
    picture = pool.pictures[index]
    if generator.random() < strength.mosaic:
        alike = pool.alike[picture.source]
        others = [alike[number] for number in generator.integers(0, len(alike), 3)]
        image, boxes, classes = mosaic([picture, *others], side, strength, generator)
    else:
        image, boxes, classes = placed(picture, side, side, strength.zoom, strength.aspect, generator)
    objects = pool.objects[picture.source]
    if objects and generator.random() < strength.paste:
        image, boxes, classes = pasted(image, boxes, classes, objects, generator)
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
