"""The ONNX graph that the plugin runs: from 8 bit crops to calibrated answers."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import novelty
from data import CLASSES, SIDE
from network import DARK, DEVIATION_FLOOR, LOCAL, LOCAL_FLOOR

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
        return self.add(
            "Conv",
            image,
            self.weight(weight),
            self.constant(bias),
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=[layer.padding[0]] * 4,
        )

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
        white = self.add("MatMul", white, self.weight(torch.from_numpy(distance.whitening)))
        # |white - class|^2 = |white|^2 - 2 white . class + |class|^2; rounding may take it below 0.
        squares = self.constant((distance.classes**2).sum(1))
        products = self.add("MatMul", white, self.constant(-2 * distance.classes.T))
        nearest = self.add("ReduceMin", self.add("Add", products, squares), axes=[1], keepdims=1)
        square = self.add("Add", self.add("ReduceSumSquare", white, axes=[1], keepdims=1), nearest)
        self.add("Sqrt", self.add("Relu", square), result="distance")

    def model(self, name, outputs, description):
        """The finished model; `outputs`: name to shape after the first dimension."""
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
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


@torch.no_grad()
def signs_model(members, temperature, distance, description):
    """`image` uint8 [n, 32, 32, 3] to `probability` [n, 43] and `distance` [n, 1].

    The members' logits are averaged and divided by the temperature. The distance is that of the first member.
    """
    graph = Graph()
    image = graph.standardised()
    logits = []
    for number, member in enumerate(members):
        maps = graph.maps(image, member)
        if number == 0:
            graph.distance(maps, distance)
        # The mean over the members and the temperature are part of the layer.
        share = 1 / (len(members) * temperature)
        weight, bias = graph.weight(member.head.weight.T * share), graph.constant(member.head.bias * share)
        flat = graph.add("Flatten", maps[-1], axis=1)
        logits.append(graph.add("Add", graph.add("MatMul", flat, weight), bias))
    total = graph.add("Sum", *logits)
    graph.add("Softmax", total, axis=1, result="probability")
    return graph.model("traffic_signs", {"probability": [len(CLASSES)], "distance": [1]}, description)
