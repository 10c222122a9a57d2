"""The ONNX graph that the plugin runs: from 8 bit pictures to boxes in pixels and scores of every anchor."""

from dataclasses import dataclass, replace

import torch
from onnx import TensorProto

from data import NAMES
from network import SIDE
from shared import detector
from shared import graph as writer


@dataclass(frozen=True)
class Linear:
    """A convolution of a written image, not written yet: what only scales and shifts its result becomes part of it.

    side: of the image; weight: in torch's order; others: written images that are added to the result.
    """

    image: str
    side: int
    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    groups: int
    others: tuple = ()

    def scaled(self, scale):
        if self.others:
            raise ValueError("only a convolution can be scaled, not the sum of one and other images")
        return replace(self, weight=self.weight * scale[:, None, None, None], bias=self.bias * scale)

    def plus(self, shift, others=()):
        return replace(self, bias=self.bias + shift, others=(*self.others, *others))


class Detector(writer.Graph):
    """Writes the graph of the package with the weights of a road network, node by node."""

    def __init__(self, road):
        super().__init__()
        self.nodes_read, self.weights = road.nodes, road.weights
        image = self.add("Cast", self.add("Transpose", "image", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        image = self.add("Sub", self.add("Mul", image, self.constant(2 / 255)), self.constant(1))
        # Name of the result and its side, or what is not written yet.
        self.found = {detector.INPUT: (image, SIDE)}

    def written(self, source):
        """(name, side) of a node's result."""
        name = source.split(":")[0]
        value = self.value(name)
        if isinstance(value, Linear):
            size = value.weight.shape[-1]
            pads = detector.padding(value.side, size, value.stride)
            result = self.convolved(value.image, value.weight, value.bias, value.stride, pads, value.groups)
            for other in value.others:
                result = self.add("Add", result, other)
            value = self.found[name] = (result, -(-value.side // value.stride))
        return value

    def value(self, name):
        name = name.split(":")[0]
        if name not in self.found:
            self.found[name] = self._computed(self.nodes_read[name])
        return self.found[name]

    def _computed(self, node):
        kind, sources = node["op"], node["input"]
        if kind == "ConcatV2":
            return self.add("Concat", *(self.written(source)[0] for source in sources[:-1]), axis=1), None
        first, *constants = sources[0], *(self.weights[name] for name in sources[1:] if name in self.weights)
        match kind:
            case "Identity":
                return self.value(first)
            case "Conv2D":
                return self._convolution(node, constants[0].permute(3, 2, 0, 1), 1)
            case "DepthwiseConv2dNative":
                return self._convolution(node, constants[0].permute(2, 3, 0, 1), constants[0].shape[2])
            case "FusedBatchNorm":
                gamma, beta, mean, variance = constants
                scale = gamma / (variance + node["attr"]["epsilon"]["f"]).sqrt()
                return self.value(first).scaled(scale).plus(beta - mean * scale)
            case "Mul":
                return self.value(first).scaled(constants[0])
            case "Add" | "AddV2" | "AddN" | "BiasAdd":
                return self._sum(sources)
            case "Relu6":
                name, side = self.written(first)
                return self.clipped(name), side
            case "Reshape":
                columns = len(NAMES) if node["name"].endswith("_1") else 4
                turned = self.add("Transpose", self.written(first)[0], perm=[0, 2, 3, 1])
                return self.add("Reshape", turned, self.whole(0, -1, columns)), None
        raise ValueError(f"unknown node {kind} {node['name']}")

    def part(self, values, first, end):
        """Columns of [n, a, columns]."""
        return self.add("Slice", values, self.whole(first), self.whole(end), self.whole(2))

    def _convolution(self, node, weight, groups):
        image, side = self.written(node["input"][0])
        return Linear(image, side, weight, weight.new_zeros(len(weight)), detector.stride(node), groups)

    def _sum(self, sources):
        """Constants become part of the first convolution, to whose result the other images are added."""
        images = [name for name in sources if name not in self.weights]
        first = next(name for name in images if isinstance(self.value(name), Linear))
        linear = self.value(first)
        others = [self.written(name)[0] for name in images if name != first]
        return linear.plus(sum(self.weights[name] for name in sources if name in self.weights), others)


@torch.no_grad()
def model(road, description):
    """`image` uint8 [n, 300, 300, 3] to `boxes` [n, 1917, 4], in pixels, and `scores` [n, 1917, 8]."""
    graph = Detector(road)
    graph.add("Sigmoid", graph.written(detector.LOGITS)[0], result="scores")
    # The package tells y before x.
    codes = graph.add("Gather", graph.written(detector.BOXES)[0], graph.whole(1, 0, 3, 2), axis=2)
    offsets, logarithms = (graph.part(codes, first, first + 2) for first in (0, 2))
    sizes = (road.anchors[0, :, 2:] - road.anchors[0, :, :2]).flip(-1) * SIDE
    centres = graph.add("Mul", offsets, graph.constant(sizes / detector.CENTRE_SCALE))
    centres = graph.add("Add", centres, graph.constant(road.centres()))
    logarithms = graph.add("Mul", logarithms, graph.constant(1 / detector.SIZE_SCALE))
    logarithms = graph.add("Min", logarithms, graph.constant(detector.SIZE_LOGARITHM_MAX))
    half = graph.add("Mul", graph.add("Exp", logarithms), graph.constant(sizes / 2))
    graph.add("Concat", graph.add("Sub", centres, half), graph.add("Add", centres, half), axis=2, result="boxes")
    shapes = {"boxes": [len(sizes), 4], "scores": [len(sizes), len(NAMES)]}
    return graph.model("road_detector", [SIDE, SIDE, 3], shapes, description)
