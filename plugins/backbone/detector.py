"""The whole detector of the package (SSDLite on COCO) in torch: its graph evaluated node by node, and its boxes decoded.

It labels what a data set leaves unlabelled, and is what a road detector must beat.
"""

import numpy as np
import torch
from torch.nn.functional import batch_norm, conv2d, pad

# Side of the images it was trained on, in pixels.
SIDE = 300
# Columns of the scores (COCO's numbering, which has gaps); column 0 is the background.
PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRUCK, TRAFFIC_LIGHT, STOP_SIGN = 1, 2, 3, 4, 6, 8, 10, 13
# Offsets of centres and logarithms of sizes are stored multiplied by these (Huang et al. 2017, arXiv 1611.10012).
CENTRE_SCALE, SIZE_SCALE = 10.0, 5.0
# The logarithm of a size against its anchor's is at most this: 55 times as large.
SIZE_LOGARITHM_MAX = 4.0
BOXES, LOGITS, SCORES, ANCHORS = "concat", "concat_1", "Postprocessor/convert_scores", "Postprocessor/ExpandDims"
INPUT = "Preprocessor/sub"
# Its last dimension is that of a predictor with three anchors a place.
CLASSES = "BoxPredictor_0/ClassPredictor/weights"


def constants_of(nodes, constants):
    """Names of the constants that the boxes and logits are computed with: weights, biases, normalisations."""
    found, seen, left = [], set(), [LOGITS, BOXES]
    while left:
        name = left.pop().split(":")[0]
        if name in seen or name == INPUT:
            continue
        seen.add(name)
        if name not in constants:
            left += reversed(nodes[name]["input"])
        elif constants[name].dtype == np.float32 and constants[name].ndim:
            found.append(name)
    return found


def padding(length, size, stride):
    """TensorFlow's padding "SAME" before and after."""
    missing = max(0, (-(-length // stride) - 1) * stride + size - length)
    return missing // 2, missing - missing // 2


def same(image, weight, stride, groups):
    """A convolution with that padding."""
    down, across = (padding(length, size, stride) for length, size in zip(image.shape[2:], weight.shape[2:]))
    return conv2d(pad(image, (*across, *down)), weight, stride=stride, groups=groups)


class Evaluation:
    """Values of a graph's nodes for one batch of images in torch's order [n, c, h, w], roughly -1..1.

    `constants`: tensors by name. The statistics of the normalisations are used as they are, never updated.
    """

    def __init__(self, nodes, constants, image):
        self.nodes, self.constants = nodes, constants
        self.found = {INPUT: image}

    def value(self, name):
        name = name.split(":")[0]
        if name not in self.found:
            self.found[name] = self._constant(name) if name in self.constants else self._computed(name)
        return self.found[name]

    def _constant(self, name):
        value = self.constants[name]
        return value[:, None, None] if value.ndim == 1 else value

    def _computed(self, name):
        node = self.nodes[name]
        kind, sources = node["op"], node["input"]
        if kind == "ConcatV2":
            return torch.cat([self.value(source) for source in sources[:-1]], dim=1)
        first = self.value(sources[0])
        if kind == "Reshape":
            columns = self.constants[CLASSES].shape[-1] // 3 if name.endswith("_1") else 4
            return first.permute(0, 2, 3, 1).reshape(len(first), -1, columns)
        rest = [self.value(source) for source in sources[1:]]
        match kind:
            case "Identity":
                return first
            case "Conv2D":
                return same(first, rest[0].permute(3, 2, 0, 1), stride(node), 1)
            case "DepthwiseConv2dNative":
                return same(first, rest[0].permute(2, 3, 0, 1), stride(node), first.shape[1])
            case "FusedBatchNorm":
                gamma, beta, mean, variance = (value.flatten() for value in rest)
                epsilon = node["attr"]["epsilon"]["f"]
                return batch_norm(first, mean, variance, gamma, beta, eps=epsilon)
            case "Add" | "AddV2" | "AddN" | "BiasAdd":
                return sum(rest, first)
            case "Mul":
                return first * rest[0]
            case "Relu6":
                return first.clamp(0, 6)
            case "Sigmoid":
                return first.sigmoid()
        raise ValueError(f"unknown node {kind} {name}")


def stride(node):
    """Of a convolution, the same down and across."""
    return int(node["attr"]["strides"]["list"]["i"][1])


def decoded(codes, anchors):
    """Boxes [n, a, 4] as left, top, right, bottom in fractions of the sides, from what the graph tells of them."""
    sizes = anchors[..., 2:] - anchors[..., :2]
    centres = anchors[..., :2] + sizes / 2 + codes[..., :2] / CENTRE_SCALE * sizes
    half = (codes[..., 2:] / SIZE_SCALE).clamp(max=SIZE_LOGARITHM_MAX).exp() * sizes / 2
    # The package tells top, left, bottom, right.
    return torch.cat([centres - half, centres + half], dim=-1)[..., [1, 0, 3, 2]]


@torch.inference_mode()
def detections(nodes, constants, images):
    """(boxes [n, 1917, 4] as left, top, right, bottom in fractions of the sides, scores [n, 1917, 91]), numpy.

    `images`: uint8 [n, 300, 300, 3], red, green, blue; a plain resize of the picture.
    """
    image = torch.from_numpy(images).permute(0, 3, 1, 2).float() * (2 / 255) - 1
    names = (ANCHORS, *constants_of(nodes, constants))
    tensors = {name: torch.from_numpy(constants[name].copy()) for name in names}
    graph = Evaluation(nodes, tensors, image)
    return decoded(graph.value(BOXES), tensors[ANCHORS]).numpy(), graph.value(SCORES).numpy()
