"""Random changes to training pictures, each against something that a network must not lean on."""

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter


@dataclass(frozen=True)
class Strength:
    """How far pictures are changed. Logarithmic ranges are symmetric about no change."""

    turn: float
    """Degrees either way."""
    stretch: float
    """Of width and height independently: natural logarithm. Breaks the shortcut of the squashed aspect ratio."""
    zoom: float
    """Of both together: natural logarithm, centred at `zoom_centre`."""
    zoom_centre: float
    """Above 0 cuts the borders off, where markers and collimation are."""
    shear: float
    shift: float
    """Fraction of the side."""
    tone: float
    """Gamma: natural logarithm. Exposure and display curves of other machines."""
    bend: float
    """Weight of a random smooth tone curve, 0..1."""
    slope: float
    """Brightness change across the picture, fraction of its range."""
    coarse: int
    """Smallest side in pixels to which a picture may be reduced, so that sharpness and compression tell nothing."""
    noise: float
    """Standard deviation, grey levels."""
    holes: float
    """Largest side of a blanked rectangle, fraction of the side."""


CHEST = Strength(
    turn=12, stretch=0.22, zoom=0.15, zoom_centre=0.1, shear=0.12, shift=0.08, tone=0.5, bend=0.6, slope=0.3, coarse=56,
    noise=12, holes=0.35,
)  # fmt: skip
BRAIN = Strength(
    turn=20, stretch=0.12, zoom=0.18, zoom_centre=0.05, shear=0.12, shift=0.07, tone=0.4, bend=0.4, slope=0.15,
    coarse=96, noise=10, holes=0,
)  # fmt: skip


def changed(image, mask, size, strength, generator):
    """(image, mask) as uint8 [size, size] from uint8 [h, w]; `mask` may be None and stays in step with the image."""
    matrix = _matrix(image.shape, size, strength, generator)
    if generator.random() < 0.5:
        matrix[0] = -matrix[0]
        matrix[0, 2] += image.shape[1]
    place = tuple(matrix.ravel())
    picture = Image.fromarray(image)
    if generator.random() < 0.5:
        side = int(generator.integers(strength.coarse, image.shape[0] + 1))
        picture = picture.resize((side, side), Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.BICUBIC)
    picture = picture.transform((size, size), Image.Transform.AFFINE, place, Image.Resampling.BICUBIC)
    if mask is not None:
        # The mask keeps its own values 0 and 1 times 255, halves at its edge.
        shape = Image.fromarray(mask * np.uint8(255))
        mask = np.asarray(shape.transform((size, size), Image.Transform.AFFINE, place, Image.Resampling.BILINEAR))
    picture = picture.point(_curve(strength, generator).tolist())
    if generator.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(generator.uniform(0.3, 1.5)))
    levels = np.asarray(picture, dtype=np.float32)
    levels = levels * _slope(size, strength, generator)
    if generator.random() < 0.4:
        levels = levels + generator.normal(0, generator.uniform(0, strength.noise), levels.shape).astype(np.float32)
    levels = np.clip(levels, 0, 255).astype(np.uint8)
    if generator.random() < 0.5:
        levels = recompressed(levels, int(generator.integers(25, 96)))
    if strength.holes and generator.random() < 0.5:
        levels = _blanked(levels, strength, generator)
    return levels, mask


def recompressed(levels, quality):
    """The picture after a passage through JPEG."""
    with io.BytesIO() as file:
        Image.fromarray(levels).save(file, "JPEG", quality=quality)
        return np.array(Image.open(file))


def _matrix(shape, size, strength, generator):
    """Output pixel to input pixel, [2, 3]."""
    height, width = shape
    angle = np.deg2rad(generator.uniform(-strength.turn, strength.turn))
    zoom = generator.normal(strength.zoom_centre, strength.zoom / 2)
    across, down = zoom + generator.uniform(-strength.stretch, strength.stretch, 2) * np.array([1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean = np.array([[1, generator.uniform(-strength.shear, strength.shear)], [0, 1]])
    linear = turn @ lean @ np.diag([np.exp(-across), np.exp(-down)])
    shift = 0.5 + generator.uniform(-strength.shift, strength.shift, 2)
    offset = shift - linear @ np.array([0.5, 0.5])
    scale = np.array([width, height])
    return np.column_stack([linear * scale[:, None] / size, offset * scale])


def _curve(strength, generator):
    """A rising tone curve for grey levels 0..255, [256]."""
    levels = np.linspace(0, 1, 256)
    levels = levels ** np.exp(generator.uniform(-strength.tone, strength.tone))
    if generator.random() < 0.5:
        steps = generator.uniform(0.2, 1, 6)
        knots = np.concatenate([[0], np.cumsum(steps) / steps.sum()])
        bent = np.interp(levels, np.linspace(0, 1, len(knots)), knots)
        levels = levels + strength.bend * (bent - levels)
    low, high = generator.uniform(0, 0.15), generator.uniform(0.8, 1.1)
    return np.clip((low + levels * (high - low)) * 255, 0, 255).astype(np.uint8)


def _slope(size, strength, generator):
    """Factors of brightness that change in a straight line across the picture, [size, size]."""
    across, down = generator.uniform(-strength.slope, strength.slope, 2)
    place = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    return (1 + np.float32(down) * place[:, None]) * (1 + np.float32(across) * place[None, :])


def _blanked(levels, strength, generator):
    levels = levels.copy()
    size = levels.shape[0]
    for _ in range(generator.integers(1, 4)):
        height, width = (generator.uniform(0.08, strength.holes, 2) * size).astype(int)
        top, left = generator.integers(0, size - height), generator.integers(0, size - width)
        levels[top : top + height, left : left + width] = generator.integers(0, 256)
    return levels
