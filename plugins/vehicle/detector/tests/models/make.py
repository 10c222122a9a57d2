"""Writes the tiny networks that the tests of the detector run.

    python3 -m venv VENV
    VENV/bin/pip install -r requirements.txt
    VENV/bin/python make.py

They answer what they are shown: the twelve samples of an image of 2 x 2 pixels are the numbers of two boxes. So a test puts boxes
into an image and sees whether they arrive.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent

# Old enough for every ONNX Runtime that foretell accepts.
OPSET = 17
IR_VERSION = 8

FLOAT, BYTE, INT32, INT64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64


def value(name, element, shape):
    return helper.make_tensor_value_info(name, element, shape)


def numbers(name, values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def save(name, nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "foretell"
    model.producer_version = ""
    onnx.checker.check_model(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def echo(name, batch, answered):
    """Channel by channel, as two rows of x1, y1, x2, y2, score, class."""
    save(
        name,
        [helper.make_node("Reshape", ["images", "shape"], ["predictions"])],
        [value("images", FLOAT, [batch, 3, 2, 2])],
        [value("predictions", FLOAT, answered)],
        [numbers("shape", [-1, 2, 6])],
    )


def echo_bytes():
    """Pixel by pixel, as two rows of x1, y1, x2, y2, score, class."""
    save(
        "echo_bytes",
        [
            helper.make_node("Cast", ["image"], ["cast"], to=FLOAT),
            helper.make_node("Reshape", ["cast", "shape"], ["predictions"]),
        ],
        [value("image", BYTE, ["n", 2, 2, 3])],
        [value("predictions", FLOAT, ["n", 2, 6])],
        [numbers("shape", [-1, 2, 6])],
    )


def parts():
    """The same as a tensor each: classes, boxes, something else, scores, and how many boxes there are: one."""
    column = lambda name, start, end: helper.make_node("Slice", ["rows", start, end, "last"], [name])
    save(
        "parts",
        [
            helper.make_node("Reshape", ["images", "shape"], ["rows"]),
            column("boxes", "zero", "four"),
            column("score", "four", "five"),
            column("class", "five", "six"),
            helper.make_node("Squeeze", ["score", "last"], ["scores"]),
            helper.make_node("Squeeze", ["class", "last"], ["class_of_box"]),
            helper.make_node("Cast", ["class_of_box"], ["classes"], to=INT64),
            helper.make_node("Mul", ["boxes", "half"], ["other"]),
            helper.make_node("ReduceMax", ["scores"], ["greatest"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["greatest", "nothing"], ["none"]),
            helper.make_node("Add", ["none", "one"], ["one_each"]),
            helper.make_node("Cast", ["one_each"], ["count"], to=INT32),
        ],
        [value("images", FLOAT, ["n", 3, 2, 2])],
        [
            value("classes", INT64, ["n", 2]),
            value("boxes", FLOAT, ["n", 2, 4]),
            value("other", FLOAT, ["n", 2, 4]),
            value("scores", FLOAT, ["n", 2]),
            value("count", INT32, ["n", 1]),
        ],
        [
            numbers("shape", [-1, 2, 6]),
            numbers("last", [2]),
            numbers("zero", [0]),
            numbers("four", [4]),
            numbers("five", [5]),
            numbers("six", [6]),
            numbers("half", [0.5], np.float32),
            numbers("nothing", [0], np.float32),
            numbers("one", [1], np.float32),
        ],
    )


if __name__ == "__main__":
    echo("echo", "n", ["n", 2, 6])
    echo("echo_one", 1, [1, 2, 6])
    echo("echo_any", "n", ["n", "rows", "columns"])
    echo_bytes()
    parts()
