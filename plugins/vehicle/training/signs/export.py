"""The ONNX graph that the plugin runs: from 8 bit crops to calibrated answers."""

import numpy as np
import torch
from onnx import TensorProto

import novelty
from data import CLASSES, SIDE
from network import DARK, DEVIATION_FLOOR, LOCAL, LOCAL_FLOOR
from shared import graph


# The largest 8 bit number that a weight becomes.
EIGHTH_MAX = 127


class Graph(graph.Graph):
    """A graph with the layers of this recipe's network. Weights of convolutions and the whitening of the distance are 8 bit
    numbers with a scale for each channel: several members are not to take more room than they are worth.
    """

    def eighths(self, value, axes):
        """A constant in 8 bit numbers; those along `axes` share a scale."""
        scale = value.abs().amax(axes, keepdim=True) / EIGHTH_MAX
        whole = self.constant((value / scale).round(), np.int8)
        return self.add("Mul", self.add("Cast", whole, to=TensorProto.FLOAT), self.constant(scale))

    def weight(self, value):
        return self.eighths(value, (1, 2, 3)) if value.ndim == 4 else super().weight(value)

    def scaled(self, centred, mean_square, floor):
        """`centred` over its standard deviation and the floor."""
        deviation = self.add("Add", self.add("Sqrt", mean_square), self.constant(floor))
        return self.add("Div", centred, deviation)

    def around(self, image):
        return self.add(
            "AveragePool", image, kernel_shape=[LOCAL] * 2, strides=[1, 1], pads=[LOCAL // 2] * 4, count_include_pad=0
        )

    def standardised(self):
        """`image` uint8 [n, h, w, 3] to what `network.standardised` gives."""
        image = self.add("Cast", self.add("Transpose", "image", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        centred = self.add("Sub", image, self.mean(image, 1, 2, 3, keep=True))
        variance = self.mean(self.add("Mul", centred, centred), 1, 2, 3, keep=True)
        colours = self.scaled(centred, variance, DEVIATION_FLOOR)
        grey = self.add("Log", self.add("Add", self.mean(image, 1, keep=True), self.constant(DARK)))
        centred = self.add("Sub", grey, self.around(grey))
        local = self.scaled(centred, self.around(self.add("Mul", centred, centred)), LOCAL_FLOOR)
        return self.add("Concat", colours, local, axis=1)

    def convolution(self, image, part):
        weight, bias = part.folded()
        layer = part.layer
        return self.convolved(image, weight, bias, layer.stride[0], (layer.padding[0],) * 2, layer.groups)

    def block(self, image, block):
        beside = image if block.shortcut is None else self.convolution(image, block.shortcut)
        inside = self.convolution(self.add("Relu", self.convolution(image, block.first)), block.second)
        return self.add("Relu", self.add("Add", inside, beside))

    def maps(self, image, network):
        """Names of what `network.maps` gives."""
        maps = [self.add("Relu", self.convolution(image, network.stem))]
        for block in network.blocks:
            maps.append(self.block(maps[-1], block))
        return maps

    def distance(self, maps, distance):
        means, deviations = [], []
        for map_ in maps[1:]:
            mean = self.mean(map_, 2, 3, keep=True)
            centred = self.add("Sub", map_, mean)
            variance = self.mean(self.add("Mul", centred, centred), 2, 3)
            means.append(self.add("Flatten", mean, axis=1))
            deviations.append(self.add("Sqrt", self.add("Add", variance, self.constant(novelty.VARIANCE_FLOOR))))
        numbers = self.add("Concat", *means, *deviations, axis=1)
        white = self.add("Mul", self.add("Sub", numbers, self.constant(distance.centre)), self.constant(distance.scale))
        white = self.add("MatMul", white, self.eighths(torch.from_numpy(distance.whitening), (0,)))
        # |white - class|^2 = |white|^2 - 2 white . class + |class|^2; rounding may take it below 0.
        squares = self.constant((distance.classes**2).sum(1))
        products = self.add("MatMul", white, self.constant(-2 * distance.classes.T))
        nearest = self.add("ReduceMin", self.add("Add", products, squares), axes=[1], keepdims=1)
        square = self.add("Add", self.add("ReduceSumSquare", white, axes=[1], keepdims=1), nearest)
        self.add("Sqrt", self.add("Relu", square), result="distance")


@torch.no_grad()
def signs_model(members, temperature, distance, description):
    """`image` uint8 [n, 32, 32, 3] to `probability` [n, 43] and `distance` [n, 1].

    The members' logits are averaged and divided by the temperature. The distance is that of the first member.
    """
    written = Graph()
    image = written.standardised()
    logits = []
    for number, member in enumerate(members):
        maps = written.maps(image, member)
        if number == 0:
            written.distance(maps, distance)
        # The mean over the members and the temperature are part of the layer.
        share = 1 / (len(members) * temperature)
        weight, bias = written.weight(member.head.weight.T * share), written.constant(member.head.bias * share)
        flat = written.add("Flatten", maps[-1], axis=1)
        logits.append(written.add("Add", written.add("MatMul", flat, weight), bias))
    total = written.add("Sum", *logits)
    written.add("Softmax", total, axis=1, result="probability")
    return written.model("traffic_signs", [SIDE, SIDE, 3], {"probability": [len(CLASSES)], "distance": [1]}, description)
