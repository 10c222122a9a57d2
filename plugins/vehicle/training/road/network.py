"""The network: YOLOX-nano (Ge et al. 2021, arXiv 2107.08430), cut down to our classes, its constants learnable.

4,725 places on three maps (60, 30 and 15 a side); each answers with a box, with the chance that an object is there, and
with the chance of each class if so. The graph's normalisations are part of its convolutions.
"""

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

# Of the graph that training begins with, see README.md.
SHA256 = "695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14"
# Side of the pictures that are to be judged, in pixels, and steps of the maps.
SIDE, STRIDES = 480, (8, 16, 32)
# Columns of COCO's 80 classes in the order of ours; a stop sign is its only traffic sign.
COLUMNS = (2, 7, 5, 3, 1, 0, 9, 11)
# Largest logarithm of a box's side in steps of its map: far above the picture's own side.
LOGARITHM_MAX = 6.0
TINY = 1e-6


def read(path):
    """The graph of the file, which must be the pinned one."""
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} is not the network that this recipe begins with: SHA-256 {found}, not {SHA256}")
    return onnx.load_from_string(content).graph


def cut(name, value):
    """Of a class predictor the rows of our classes; anything else as it is."""
    return value[list(COLUMNS)] if name.startswith("head.cls_preds.") else value


def unit(value):
    """Root mean square of the weights of each channel, or of all biases of a layer."""
    squares = value.square()
    return (squares.mean((1, 2, 3), keepdim=True) if value.ndim == 4 else squares.mean()).sqrt() + TINY


def places(side):
    """float32 [places, 3] of a picture of this side: column and row of the map, and its step; the finest map first."""
    found = []
    for stride in STRIDES:
        y, x = np.mgrid[0 : side // stride, 0 : side // stride].reshape(2, -1)
        found.append(np.column_stack([x, y, np.full(len(x), stride)]))
    return np.concatenate(found).astype(np.float32)


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


class Walk:
    """Goes through the graph from the stem's patches to the predictors of every map.

    What a layer does is left to those who inherit: the network computes, the export writes.
    """

    def walked(self, graph, patches):
        """{predictor: [result for each map]} for "reg_preds", "obj_preds" and "cls_preds"."""
        stem = next(index for index, node in enumerate(graph.node) if node.op_type == "Concat")
        found = {graph.node[stem].output[0]: patches}
        predicted = {"reg_preds": [], "obj_preds": [], "cls_preds": []}
        for node in graph.node[stem + 1 :]:
            # Beyond the predictors the graph only joins the maps.
            if any(name not in found for name in node.input[:1]):
                continue
            first, result = found[node.input[0]], None
            match node.op_type:
                case "Conv":
                    settings = attributes(node)
                    edge = (settings["strides"][0], settings["pads"][0], settings["group"])
                    result = self.convolved(first, *node.input[1:3], *edge)
                    head = re.match(r"head\.(\w+_preds)\.\d\.weight$", node.input[1])
                    if head:
                        predicted[head[1]].append(result)
                        continue
                case "Sigmoid":
                    continue
                case "Mul":
                    result = self.swish(first)
                case "Add":
                    result = self.sum(first, found[node.input[1]])
                case "Concat" if all(name in found for name in node.input):
                    result = self.joined([found[name] for name in node.input])
                case "MaxPool":
                    result = self.pooled(first, attributes(node)["kernel_shape"][0])
                case "Resize":
                    result = self.doubled(first)
                case kind:
                    raise ValueError(f"unknown node {kind} {node.output[0]}")
            found[node.output[0]] = result
        return predicted


class Road(Walk, nn.Module):
    """Levels 0..255, red, green, blue, [n, 3, side, side], to class logits [n, places, 8] and boxes [n, places, 4]:
    left, top, right, bottom in pixels. The logit is that of chance of an object times chance of the class.
    """

    def __init__(self, graph, side=SIDE):
        super().__init__()
        self.graph, self.weights = graph, nn.ParameterDict()
        # Normalisations that became part of convolutions leave channels of very different size. Each is learned in a
        # unit of its own, so that one rate suits all.
        self.units = {}
        constants = {entry.name: entry for entry in graph.initializer}
        for name in (name for node in graph.node if node.op_type == "Conv" for name in node.input[1:3]):
            value = torch.from_numpy(cut(name, numpy_helper.to_array(constants[name])).copy())
            if value.ndim == 4:
                value = value.contiguous(memory_format=torch.channels_last)
            self.units[name] = unit(value)
            self.weights[name.replace(".", "_")] = nn.Parameter(value / self.units[name])
        self.resize(side)

    def resize(self, side):
        """Takes pictures of another side from now on."""
        self.side, self.places = side, torch.from_numpy(places(side))

    def weight(self, name):
        return self.weights[name.replace(".", "_")] * self.units[name]

    def forward(self, image):
        image = image.flip(1)
        corners = [image[..., down::2, across::2] for across in (0, 1) for down in (0, 1)]
        maps = self.walked(self.graph, torch.cat(corners, dim=1))
        codes, objects, classes = (
            torch.cat([part.flatten(2) for part in maps[name]], dim=2).transpose(1, 2)
            for name in ("reg_preds", "obj_preds", "cls_preds")
        )
        step = self.places[:, 2:]
        middle = (codes[..., :2] + self.places[:, :2]) * step
        half = codes[..., 2:].clamp(max=LOGARITHM_MAX).exp() * step / 2
        # -log(1 / (p q) - 1) for the chances p and q of two logits, without leaving logarithms.
        parts = [-objects.expand_as(classes), -classes, -objects - classes]
        return -torch.logsumexp(torch.stack(parts), dim=0), torch.cat([middle - half, middle + half], dim=-1)

    def centres(self):
        """Of the places, [places, 2] in pixels, x before y."""
        return (self.places[:, :2] + 0.5) * self.places[:, 2:]

    def convolved(self, image, weight, bias, stride, padding, groups):
        return functional.conv2d(image, self.weight(weight), self.weight(bias), stride, padding, 1, groups)

    def swish(self, image):
        return functional.silu(image)

    def sum(self, one, other):
        return one + other

    def joined(self, images):
        return torch.cat(images, dim=1)

    def pooled(self, image, size):
        return functional.max_pool2d(image, size, 1, size // 2)

    def doubled(self, image):
        return functional.interpolate(image, scale_factor=2)
