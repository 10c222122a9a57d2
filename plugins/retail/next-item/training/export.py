"""The files that the plugin reads: the network as ONNX, and the items as data."""

import math
import struct

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from data import LENGTH_MAX

# Stands for minus infinity: a row that sees nothing but padding must not become NaN.
HIDDEN = -1e9
MAGIC, VERSION = b"FTITEMS\0", 1


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

    def add(self, kind, *inputs, result=None, **attributes):
        result = result or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        return result

    def dense(self, states, weights, bias):
        return self.add("Add", self.add("MatMul", states, self.constant(weights.T)), self.constant(bias))

    def norm(self, states, layer):
        scale, bias = self.constant(layer.weight), self.constant(layer.bias)
        return self.add("LayerNormalization", states, scale, bias, axis=-1, epsilon=layer.eps)


def to_onnx(network, description):
    """The graph: `items` int64 [batch, length] to `scores` float32 [batch, catalogue].

    Rows of `items` end with the newest purchase; 0 before the first one is padding and changes nothing. Column j of
    `scores` is item j + 1. The last block computes the last position alone, since nothing else is asked of it.
    """
    network.eval()
    graph = Graph()
    vectors = graph.constant(network.items()[1:])
    rows = graph.add("Max", graph.add("Sub", "items", graph.whole(1)), graph.whole(0))
    states = graph.norm(graph.add("Gather", vectors, rows, axis=0), network.norm)
    real = graph.add("Unsqueeze", graph.add("Greater", "items", graph.whole(0)), graph.whole(1, 2))
    length = graph.add("Gather", graph.add("Shape", "items"), graph.constant(1, np.int64), axis=0)
    place = graph.add("Range", graph.constant(0, np.int64), length, graph.constant(1, np.int64))
    ago = graph.add(
        "Sub", graph.add("Unsqueeze", place, graph.whole(1)), graph.add("Unsqueeze", place, graph.whole(0))
    )
    past = graph.add("GreaterOrEqual", ago, graph.whole(0))
    seen = graph.add("And", real, past)
    ago = graph.add("Max", ago, graph.whole(0))
    for number, block in enumerate(network.blocks):
        last = number == len(network.blocks) - 1
        states = _block(graph, block, states, seen, ago, last)
    state = graph.add("Squeeze", states, graph.whole(1))
    size = graph.add("ReduceL2", state, graph.whole(-1), keepdims=1)
    sharp = graph.add("Mul", graph.add("Div", state, size), graph.constant(network.sharpness.exp()))
    graph.add("Gemm", sharp, vectors, result="scores", transB=1)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "next_item",
            [helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "length"])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(network.known) - 1])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
        producer_name="foretell",
        doc_string=description,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _block(graph, block, states, seen, ago, last):
    size = block.joined.in_features
    heads = block.heads
    weights, biases = block.mixed.weight.split(size), block.mixed.bias.split(size)
    bias = graph.add("Gather", graph.constant(block.distance), ago, axis=1)
    bias = graph.add("Where", seen, bias, graph.constant(HIDDEN))
    asking = states
    if last:
        asking = graph.add("Gather", states, graph.whole(-1), axis=1)
        bias = graph.add("Gather", bias, graph.whole(-1), axis=2)
    shape = graph.whole(0, 0, heads, size // heads)
    scale = 1 / math.sqrt(size // heads)
    parts = []
    for source, factor, part, order in (
        (asking, scale, 0, [0, 2, 1, 3]),
        (states, 1, 1, [0, 2, 3, 1]),
        (states, 1, 2, [0, 2, 1, 3]),
    ):
        split = graph.add("Reshape", graph.dense(source, weights[part] * factor, biases[part] * factor), shape)
        parts.append(graph.add("Transpose", split, perm=order))
    queries, keys, values = parts
    attention = graph.add("Softmax", graph.add("Add", graph.add("MatMul", queries, keys), bias), axis=-1)
    attended = graph.add("Transpose", graph.add("MatMul", attention, values), perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", attended, graph.whole(0, 0, size))
    joined = graph.dense(joined, block.joined.weight, block.joined.bias)
    middle = graph.norm(graph.add("Add", asking, joined), block.first_norm)
    wide = graph.add("Gelu", graph.dense(middle, block.wide.weight, block.wide.bias))
    narrow = graph.dense(wide, block.narrow.weight, block.narrow.bias)
    return graph.norm(graph.add("Add", middle, narrow), block.second_norm)


def to_items(shop, vectors, bought):
    """`items.bin`: what the plugin must know of every item, little-endian, one block after the other:

    | block | type | content |
    |---|---|---|
    | magic | 8 bytes | `FTITEMS` and a zero |
    | version, count, size | 3 x u32 | 1, number of items N, length of a vector D |
    | ends | N x u32 | where each item's name ends in `names` |
    | bought | N x u32 | how often it was bought in training |
    | brand | N x u32 | number of its brand, 0 if none is told |
    | category | N x u32 | number of its whole category path, 0 if none is told |
    | vectors | N x D x i8 | its unit vector times 127, rounded |
    | names | the rest | identifiers, UTF-8, without separators |
    """
    names = [item.encode() for item in shop.items]
    columns = [np.cumsum([len(name) for name in names]), bought[1:], _numbers(shop.brands), _numbers(shop.categories)]
    size = vectors.shape[1]
    parts = [MAGIC, struct.pack("<III", VERSION, shop.count, size)]
    parts += [np.asarray(column).astype("<u4").tobytes() for column in columns]
    parts += [np.rint(vectors[1:] * 127).astype(np.int8).tobytes(), *names]
    return b"".join(parts)


def _numbers(texts):
    """1.. in the order of first appearance, 0 for an empty text."""
    numbers = {"": 0}
    return [numbers.setdefault(text, len(numbers)) for text in texts]
