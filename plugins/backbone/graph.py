"""Writes ONNX graphs by hand: nodes in order, weights in half the room, the layers of the pre-trained body."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

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
        pads = (0, 1) if layer.even else (layer.padding[0],) * 2
        image = self.convolved(image, layer.weight, layer.bias, layer.stride[0], pads, layer.groups)
        return self.clipped(image) if clipped else image

    def convolved(self, image, weight, bias, stride, pads, groups):
        """`pads`: before and after, the same down and across."""
        size = weight.shape[-1]
        return self.add(
            "Conv",
            image,
            self.weight(weight),
            self.constant(bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[pads[0], pads[0], pads[1], pads[1]],
            group=groups,
        )

    def clipped(self, image):
        """ReLU6."""
        return self.add("Clip", image, self.constant(0), self.constant(6))

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

    def model(self, name, shape, outputs, description):
        """The finished model. `shape`: of the input `image`, uint8, after the first dimension; `outputs`: name to shape
        after the first dimension, float.
        """
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *shape])],
                [
                    helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", *sides])
                    for output, sides in outputs.items()
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
