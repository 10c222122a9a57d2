"""The ONNX graphs that the plugins run: from 8 bit grey pictures to calibrated answers."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import novelty
from network import DEVIATION, DEVIATION_FLOOR, Brain

OPSET, IR_VERSION = 17, 8
# Weights with at least this many numbers are stored as 16 bit floats; biases stay 32 bit.
HALF_COUNT_MIN = 256


class Graph:
    """Nodes and constants in the order in which they are added; every node is named after its result."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, kind=np.float32):
        if isinstance(value, torch.Tensor):
            value = value.detach().numpy()
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name))
        return name

    def whole(self, *values):
        return self.constant(values, np.int64)

    def weight(self, value):
        """A constant that takes half the room; the runtime widens it once, when it loads the graph."""
        if value.numel() < HALF_COUNT_MIN:
            return self.constant(value)
        return self.add("Cast", self.constant(value, np.float16), to=TensorProto.FLOAT)

    def add(self, kind, *inputs, result=None, **attributes):
        result = result or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        return result

    def mean(self, value, *axes, keep=False):
        return self.add("ReduceMean", value, axes=list(axes), keepdims=int(keep))

    def convolution(self, image, layer, clipped=False):
        size = layer.kernel_size[0]
        pads = [0, 0, 1, 1] if layer.even else [layer.padding[0]] * 4
        image = self.add(
            "Conv",
            image,
            self.weight(layer.weight),
            self.constant(layer.bias),
            kernel_shape=[size, size],
            strides=list(layer.stride),
            pads=pads,
            group=layer.groups,
        )
        return self.add("Clip", image, self.constant(0), self.constant(6)) if clipped else image

    def standardised(self):
        """`image` uint8 [n, h, w, 1] to what `network.standardised` gives."""
        image = self.add("Cast", self.add("Transpose", "image", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        centred = self.add("Sub", image, self.mean(image, 1, 2, 3, keep=True))
        variance = self.mean(self.add("Mul", centred, centred), 1, 2, 3, keep=True)
        deviation = self.add("Add", self.add("Sqrt", variance), self.constant(DEVIATION_FLOOR))
        return self.add("Mul", centred, self.add("Div", self.constant(DEVIATION), deviation))

    def block(self, image, block):
        wide = self.convolution(image, block.expand, True) if block.expand is not None else image
        narrow = self.convolution(self.convolution(wide, block.depthwise, True), block.project)
        return self.add("Add", image, narrow) if block.shortcut else narrow

    def body(self, image, body, shared=()):
        """Names of the body's maps; `shared` are the first ones, if another body made them already."""
        maps = list(shared) or [self.convolution(image, body.stem, True)]
        for block in body.blocks[len(maps) - 1 :]:
            maps.append(self.block(maps[-1], block))
        return maps

    def doubled(self, image, mode, result=None):
        ways = {"nearest": ("asymmetric", {"nearest_mode": "floor"}), "linear": ("half_pixel", {})}
        coordinates, more = ways[mode]
        scales = self.constant([1, 1, 2, 2])
        way = {"mode": mode, "coordinate_transformation_mode": coordinates} | more
        return self.add("Resize", image, "", scales, result=result, **way)

    def novelty(self, maps, distance):
        means, deviations = [], []
        for index in novelty.MAPS:
            mean = self.mean(maps[index], 2, 3, keep=True)
            centred = self.add("Sub", maps[index], mean)
            variance = self.mean(self.add("Mul", centred, centred), 2, 3)
            means.append(self.add("Squeeze", mean, self.whole(2, 3)))
            floor = self.constant(novelty.VARIANCE_FLOOR)
            deviations.append(self.add("Sqrt", self.add("Add", variance, floor)))
        numbers = self.add("Concat", *means, *deviations, axis=1)
        white = self.add("Mul", self.add("Sub", numbers, self.constant(distance.centre)), self.constant(distance.scale))
        white = self.add("MatMul", white, self.weight(torch.from_numpy(distance.whitening)))
        self.add("ReduceL2", white, axes=[1], keepdims=0, result="novelty")

    def places(self, image, weight):
        """A linear layer at every place: [n, c, h, w] to [n, k, h, w]."""
        kernel = self.constant(weight.detach()[:, :, None, None])
        return self.add("Conv", image, kernel, kernel_shape=[1, 1])

    def model(self, name, size, outputs, description):
        """The finished model; `outputs`: name to shape after the first dimension."""
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", size, size, 1])],
                [
                    helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", *shape])
                    for output, shape in outputs.items()
                ],
                self.constants,
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="foretell",
            doc_string=description,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def chest_model(members, offset, temperature, distance, size, description):
    """`image` uint8 [n, h, w, 1] to `score` [n], `novelty` [n] and `activation` [n, h, w].

    The members' activations are averaged, which averages their logits. The score is the sigmoid of (logit + offset) /
    temperature. Layers that all members kept frozen are computed once. The distance is that of the first member.
    """
    graph = Graph()
    image = graph.standardised()
    maps, activations = [], []
    for number, member in enumerate(members):
        maps = graph.body(image, member.body, maps[: member.body.frozen + 1] if member.body.frozen else ())
        if number == 0:
            graph.novelty(maps, distance)
        top = graph.convolution(maps[-1], member.body.top, True)
        activations.append(graph.places(top, member.head.weight / len(members)))
    activation = graph.add("Sum", *activations)
    activation = graph.add("Squeeze", activation, graph.whole(1), result="activation")
    bias = sum(member.head.bias.item() for member in members) / len(members)
    logit = graph.add("Add", graph.mean(activation, 1, 2), graph.constant(bias + offset))
    graph.add("Sigmoid", graph.add("Div", logit, graph.constant(temperature)), result="score")
    step = 2 ** (1 + sum(block.depthwise.stride[0] == 2 for block in members[0].body.blocks))
    shapes = {"score": [], "novelty": [], "activation": [size // step, size // step]}
    return graph.model("chest_xray", size, shapes, description)


def _outlined(graph, network):
    """(maps of the body, map at 1/16 of the decoder, outline logits)."""
    maps = graph.body(graph.standardised(), network.body)
    merged = [maps[Brain.LEVELS[-1]]]
    for merge, level in zip(network.merges, Brain.LEVELS[-2::-1]):
        coarse = graph.doubled(graph.convolution(merged[-1], merge.coarse), "nearest")
        mixed = graph.add("Add", coarse, graph.convolution(maps[level], merge.fine))
        mixed = graph.add("Clip", mixed, graph.constant(0), graph.constant(6))
        merged.append(graph.convolution(graph.convolution(mixed, merge.depthwise, True), merge.mix, True))
    return maps, merged[1], graph.convolution(merged[-1], network.outline)


def brain_model(network, temperature, distance, size, description):
    """`image` uint8 [n, h, w, 1] to `scores` [n, 3], `novelty` [n] and `activation` [n, 3, h, w]."""
    graph = Graph()
    maps, local, outline = _outlined(graph, network)
    graph.novelty(maps, distance)
    factor = 8  # From 1/2 of the side to 1/16.
    likely = graph.add("Sigmoid", outline)
    likely = graph.add("AveragePool", likely, kernel_shape=[factor, factor], strides=[factor, factor])
    likely = graph.add("Add", likely, graph.constant(Brain.ATTENTION_FLOOR))
    attention = graph.add("Div", likely, graph.mean(likely, 2, 3, keep=True))
    tumour = graph.places(graph.add("Mul", local, attention), network.tumour.weight)
    whole = graph.places(graph.convolution(maps[-1], network.body.top, True), network.whole.weight)
    activation = graph.add("Add", graph.doubled(whole, "nearest"), tumour, result="activation")
    logits = graph.add("Add", graph.mean(activation, 2, 3), graph.constant(network.whole.bias))
    graph.add("Softmax", graph.add("Div", logits, graph.constant(temperature)), axis=1, result="scores")
    side = size // 16
    shapes = {"scores": [Brain.CLASSES], "novelty": [], "activation": [Brain.CLASSES, side, side]}
    return graph.model("brain_tumor", size, shapes, description)


def outline_model(network, size, description):
    """`image` uint8 [n, h, w, 1] to `mask` [n, h, w]."""
    graph = Graph()
    _, _, outline = _outlined(graph, network)
    full = graph.add("Squeeze", graph.doubled(outline, "linear"), graph.whole(1))
    graph.add("Sigmoid", full, result="mask")
    return graph.model("brain_outline", size, {"mask": [size, size]}, description)
