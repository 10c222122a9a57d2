"""The ONNX graph that the plugin runs: from 8 bit pictures to boxes in pixels and scores of every place."""

import numpy as np
import torch
from onnx import TensorProto

from data import NAMES
from network import LOGARITHM_MAX, Walk
from shared import graph as writer

# Pixels of the side of a patch that the stem looks at as one place.
PATCH = 2


class Writer(Walk, writer.Graph):
    """Writes what the network computes, with its weights."""

    def __init__(self, road):
        super().__init__()
        self.road, self.picture = road, None

    def convolved(self, image, weight, bias, stride, padding, groups):
        weight, bias = self.road.weight(weight), self.road.weight(bias)
        if image == self.picture:
            weight, stride, padding = whole(weight), stride * PATCH, padding * PATCH
        return writer.Graph.convolved(self, image, weight, bias, stride, (padding, padding), groups)

    def swish(self, image):
        return self.add("Mul", image, self.add("Sigmoid", image))

    def sum(self, one, other):
        return self.add("Add", one, other)

    def joined(self, images, axis=1):
        return self.add("Concat", *images, axis=axis)

    def pooled(self, image, size):
        return self.add("MaxPool", image, kernel_shape=[size, size], strides=[1, 1], pads=[size // 2] * 4)

    def doubled(self, image):
        return writer.Graph.doubled(self, image, "nearest")

    def levels(self):
        """The picture, channel by channel, in the place of the stem's patches: its convolution reads it as it is."""
        turned = self.add("Transpose", "image", perm=[0, 3, 1, 2])
        self.picture = self.add("Cast", turned, to=TensorProto.FLOAT)
        return self.picture

    def rows(self, maps):
        """The maps' places, one after the other: [n, places, channels]."""
        flat = [self.add("Reshape", part, self.whole(0, columns, -1)) for part, columns in maps]
        return self.add("Transpose", self.joined(flat, axis=2), perm=[0, 2, 1])

    def part(self, values, first, end):
        """Columns of [n, a, columns]."""
        return self.add("Slice", values, self.whole(first), self.whole(end), self.whole(2))


def whole(weight):
    """The weights that do with the picture what `weight` does with its patches: `Road.forward` puts the pixels of a patch
    one below the other, then to the right, each with its channels blue first. Cutting the patches took a seventh of the
    network's time.
    """
    outgoing, _, down, across = weight.shape
    # Right or left and upper or lower pixel of a patch, its channel, row and column of the patch.
    parts = weight.reshape(outgoing, PATCH, PATCH, 3, down, across)
    return parts.permute(0, 3, 4, 2, 5, 1).reshape(outgoing, 3, down * PATCH, across * PATCH).flip(1)


@torch.no_grad()
def model(road, description):
    """`image` uint8 [n, side, side, 3] to `boxes` [n, places, 4], in pixels, and `scores` [n, places, 8]."""
    graph = Writer(road)
    maps = graph.walked(road.graph, graph.levels())
    codes, objects, classes = (
        graph.rows([(part, columns) for part in maps[name]])
        for name, columns in (("reg_preds", 4), ("obj_preds", 1), ("cls_preds", len(NAMES)))
    )
    graph.add("Mul", graph.add("Sigmoid", objects), graph.add("Sigmoid", classes), result="scores")
    corners, steps = road.places[:, :2], road.places[:, 2:]
    middle = graph.add("Add", graph.part(codes, 0, 2), graph.constant(corners))
    middle = graph.add("Mul", middle, graph.constant(steps))
    sides = graph.add("Min", graph.part(codes, 2, 4), graph.constant(np.float32(LOGARITHM_MAX)))
    half = graph.add("Mul", graph.add("Exp", sides), graph.constant(steps / 2))
    graph.add("Concat", graph.add("Sub", middle, half), graph.add("Add", middle, half), axis=2, result="boxes")
    shapes = {"boxes": [len(steps), 4], "scores": [len(steps), len(NAMES)]}
    return graph.model("road_detector", [road.side, road.side, 3], shapes, description)
