"""Random changes to training crops, each against something that a network must not lean on."""

import io
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import conv2d, grid_sample, interpolate, pad

from data import HALF_TURN, MIRRORED

# Pixels of the side of the kernels that blur and sharpen.
KERNEL = 7


@dataclass(frozen=True)
class Strength:
    """How far crops are changed. Where a change is rare, its share is named."""

    turn: float = 15.0
    """Degrees either way."""
    stretch: float = 0.15
    """Of width and height independently: natural logarithm. Signs seen from the side, boxes that do not fit."""
    zoom: tuple[float, float] = (-0.25, 0.25)
    """Of both together: natural logarithm. Boxes of a detector are looser or tighter than those drawn by hand."""
    shear: float = 0.15
    shift: float = 0.1
    """Fraction of the side."""
    perspective: float = 0.12
    """Change of the scale between the middle and an edge."""
    gain: tuple[float, float] = (-1.8, 0.6)
    """Natural logarithm. Night leaves few grey levels, sun cuts the bright ones off."""
    gain_share: float = 0.6
    levels: float = 3.0
    """Least standard deviation in grey levels that a darkened crop keeps: less is a black square with a label."""
    tone: float = 0.5
    """Gamma: natural logarithm."""
    hue: float = 0.08
    """Of each colour's own gain: natural logarithm. Street lamps, evening, white balance."""
    grey: float = 0.6
    """How much of the colour may be lost, 0..1."""
    slope: float = 0.5
    """Brightness change across the crop, fraction of its range. Shadows."""
    blur_share: float = 0.4
    blur: tuple[float, float] = (0.3, 1.2)
    """Standard deviation in pixels."""
    motion: float = 4.0
    """Longest smear in pixels."""
    sharpen_share: float = 0.2
    coarse_share: float = 0.3
    coarse: int = 12
    """Smallest side in pixels to which a crop may be reduced: signs far away."""
    noise_share: float = 0.4
    noise: float = 0.2
    """Standard deviation, fraction of the crop's own."""
    compressed_share: float = 0.2
    quality: tuple[int, int] = (30, 95)
    """Of JPEG."""
    hidden_share: float = 0.2
    hidden: float = 0.4
    """Largest side of what hides a part, fraction of the side. Branches, stickers, posts."""


# What the way from a camera and a detector does to a crop; it hides no part.
MILD = Strength(
    turn=6, stretch=0.1, zoom=(-0.2, 0.15), shear=0.06, shift=0.06, perspective=0.05, gain=(-1.2, 0.3), gain_share=0.3,
    levels=6, tone=0.3, hue=0.05, grey=0.3, slope=0.2, blur_share=0.2, blur=(0.3, 0.8), motion=1.5, coarse_share=0.2,
    coarse=18, noise_share=0.2, noise=0.1, quality=(50, 95), hidden_share=0,
)  # fmt: skip


class Draw:
    """Random numbers of one generator, one of each for every crop of a batch."""

    def __init__(self, count, generator):
        self.count, self.generator = count, generator

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def normal(self, *shape):
        return torch.randn(self.count, *shape, generator=self.generator)

    def chosen(self, share):
        """Numbers of the crops that are to be changed."""
        return (torch.rand(self.count, generator=self.generator) < share).nonzero()[:, 0]

    def whole(self, low, high):
        """One number for the batch, `high` excluded."""
        return int(torch.randint(low, high, (), generator=self.generator))


def changed(images, labels, strength, generator):
    """(images, labels), each crop changed in its own way; uint8 tensor [n, h, w, 3], int64 tensor [n]."""
    draw = Draw(len(images), generator)
    picture = images.permute(0, 3, 1, 2).float() / 255
    picture, labels = _mirrored(picture, labels, draw)
    picture = _coarse(_moved(picture, strength, draw), strength, draw)
    picture = _light(_smeared(picture, strength, draw), strength, draw)
    picture = _noisy(_hidden(picture, strength, draw), strength, draw)
    levels = (picture * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return _compressed(levels, strength, draw), labels


def _mirrored(picture, labels, draw):
    """Half of the signs that may be, mirrored with their class, and half of those that may be, turned around."""
    picture, labels = picture.clone(), labels.clone()
    half = draw.chosen(0.5)
    turned = [index for index in half.tolist() if int(labels[index]) in HALF_TURN]
    picture[turned] = picture[turned].flip(2, 3)
    half = draw.chosen(0.5)
    mirrored = [index for index in half.tolist() if int(labels[index]) in MIRRORED]
    picture[mirrored] = picture[mirrored].flip(3)
    labels[mirrored] = torch.tensor([MIRRORED[int(kind)] for kind in labels[mirrored]], dtype=labels.dtype)
    return picture, labels


def _moved(picture, strength, draw):
    """Turned, stretched, sheared, shifted and tilted in one resampling."""
    # How much of the full strength a crop gets: many stay nearly as they are.
    share = draw.uniform(0, 1)
    angle = torch.deg2rad(share * draw.uniform(-strength.turn, strength.turn))
    zoom = draw.uniform(*strength.zoom)
    across, down = (torch.exp(-zoom - share * draw.uniform(-strength.stretch, strength.stretch)) for _ in range(2))
    lean = share * draw.uniform(-strength.shear, strength.shear)
    cosine, sine = angle.cos(), angle.sin()
    # Places run from -1 to 1, so a shift by a fraction of the side is twice as large.
    shift = 2 * draw.uniform(-strength.shift, strength.shift, 2)
    tilt = share[:, None] * draw.uniform(-strength.perspective, strength.perspective, 2)
    rows = [
        torch.stack([cosine * across, (cosine * lean - sine) * down, shift[:, 0]], dim=1),
        torch.stack([sine * across, (sine * lean + cosine) * down, shift[:, 1]], dim=1),
        torch.cat([tilt, torch.ones(draw.count, 1)], dim=1),
    ]
    matrix = torch.stack(rows, dim=1)
    side = picture.shape[-1]
    line = (torch.arange(side) + 0.5) * (2 / side) - 1
    places = torch.stack([line.repeat(side), line.repeat_interleave(side), torch.ones(side * side)])
    found = matrix @ places
    grid = (found[:, :2] / found[:, 2:]).transpose(1, 2).reshape(draw.count, side, side, 2)
    return grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def _coarse(picture, strength, draw):
    """Reduced to fewer pixels and back."""
    chosen = draw.chosen(strength.coarse_share)
    side = draw.whole(strength.coarse, picture.shape[-1])
    if len(chosen) == 0:
        return picture
    small = interpolate(picture[chosen], size=side, mode="bilinear", antialias=True)
    picture[chosen] = interpolate(small, size=picture.shape[-1], mode="bilinear", align_corners=False)
    return picture


def _smeared(picture, strength, draw):
    """Blurred with a round kernel drawn along a line, or sharpened with a round one."""
    line = torch.arange(KERNEL) - KERNEL // 2
    angle, length = draw.uniform(0, torch.pi), draw.uniform(0, strength.motion)
    width = draw.uniform(*strength.blur)
    steps = torch.linspace(-0.5, 0.5, 9)
    across = line[None, None] - (angle.cos() * length)[:, None, None] * steps[None, :, None]
    down = line[None, None] - (angle.sin() * length)[:, None, None] * steps[None, :, None]
    distance = down[:, :, :, None].square() + across[:, :, None, :].square()
    blur = torch.exp(-distance / (2 * width.square())[:, None, None, None]).sum(1)
    round_ = torch.exp(-(line[:, None].square() + line[None].square()) / 2.0).repeat(draw.count, 1, 1)
    blur, round_ = (kernel / kernel.sum((1, 2), keepdim=True) for kernel in (blur, round_))
    kernels = torch.zeros(draw.count, KERNEL, KERNEL)
    kernels[:, KERNEL // 2, KERNEL // 2] = 1
    sharpened, blurred = draw.chosen(strength.sharpen_share), draw.chosen(strength.blur_share)
    amount = draw.uniform(0.2, 1.2)[sharpened, None, None]
    kernels[sharpened] = (1 + amount) * kernels[sharpened] - amount * round_[sharpened]
    kernels[blurred] = blur[blurred]
    chosen = torch.cat([sharpened, blurred]).unique()
    if len(chosen) == 0:
        return picture
    channels = picture.shape[1]
    padded = pad(picture[chosen], [KERNEL // 2] * 4, mode="replicate")
    padded = padded.reshape(1, -1, *padded.shape[2:])
    kernels = kernels[chosen].repeat_interleave(channels, dim=0)[:, None]
    picture[chosen] = conv2d(padded, kernels, groups=len(kernels)).reshape(-1, *picture.shape[1:])
    return picture


def _light(picture, strength, draw):
    """Colour, tone curve, shadow, exposure."""
    grey = picture.mean(1, keepdim=True)
    picture = picture + draw.uniform(-0.3, strength.grey, 1, 1, 1) * (grey - picture)
    picture = picture * torch.exp(strength.hue * draw.normal(3, 1, 1))
    picture = picture.clamp(min=0) ** torch.exp(draw.uniform(-strength.tone, strength.tone, 1, 1, 1))
    line = torch.linspace(-0.5, 0.5, picture.shape[-1])
    across, down = (draw.uniform(-strength.slope, strength.slope, 1, 1, 1) for _ in range(2))
    picture = picture * (1 + down * line[:, None]) * (1 + across * line[None])
    chosen = draw.chosen(strength.gain_share)
    gain = torch.ones(draw.count, 1, 1, 1)
    gain[chosen] = torch.exp(draw.uniform(*strength.gain, 1, 1, 1))[chosen]
    kept = strength.levels / 255 / deviation(picture).clamp(min=1e-3)
    gain = gain.maximum(kept.clamp(max=1))
    return (picture * gain + draw.uniform(-0.04, 0.08, 1, 1, 1)).clamp(0, 1)


def _hidden(picture, strength, draw):
    """A rectangle of one colour over a part."""
    side = picture.shape[-1]
    sizes = (draw.uniform(0.1, strength.hidden, 2) * side).int()
    corners = (draw.uniform(0, 1, 2) * (side - sizes)).int()
    colours = draw.uniform(0, 1, 3)
    for index in draw.chosen(strength.hidden_share).tolist():
        (top, left), (height, width) = corners[index].tolist(), sizes[index].tolist()
        picture[index, :, top : top + height, left : left + width] = colours[index][:, None, None]
    return picture


def _noisy(picture, strength, draw):
    chosen = draw.chosen(strength.noise_share)
    sizes = strength.noise * draw.uniform(0, 1, 1, 1, 1)[chosen] * deviation(picture[chosen])
    noise = torch.randn(len(chosen), *picture.shape[1:], generator=draw.generator)
    picture[chosen] += sizes * noise
    return picture


def _compressed(levels, strength, draw):
    low, high = strength.quality
    chosen = draw.chosen(strength.compressed_share)
    if len(chosen):
        levels[chosen] = torch.from_numpy(recompressed(levels[chosen].numpy(), draw.whole(low, high + 1)))
    return levels


def recompressed(levels, quality):
    """Crops uint8 [n, h, w, 3] after a passage through JPEG, in one file: its blocks of pixels are less than a crop."""
    with io.BytesIO() as file:
        Image.fromarray(levels.reshape(-1, *levels.shape[2:])).save(file, "JPEG", quality=quality)
        return np.array(Image.open(file)).reshape(levels.shape)


def deviation(picture):
    """Of all numbers of each crop, [n, 1, 1, 1]."""
    mean = picture.mean((1, 2, 3), keepdim=True)
    return (picture - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
