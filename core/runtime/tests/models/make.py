"""Writes the tiny networks that the tests of foretell-runtime run.

    python3 -m venv VENV
    VENV/bin/pip install -r requirements.txt
    VENV/bin/python make.py

Every weight is written out below, so the same versions give the same bytes.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent

# Old enough for every ONNX Runtime that foretell accepts.
OPSET = 17
IR_VERSION = 8


def value(name, element, shape):
    return helper.make_tensor_value_info(name, element, shape)


def save(name, nodes, inputs, outputs, weights=(), said=()):
    initializers = [numpy_helper.from_array(array, key) for key, array in weights]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "foretell"
    model.producer_version = ""
    helper.set_model_props(model, dict(said))
    onnx.checker.check_model(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return model


def affine():
    """score = 1 a + 2 b + 3 c + 0.5, one score for each row."""
    save(
        "affine",
        [
            helper.make_node("MatMul", ["features", "weight"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["score"]),
        ],
        [value("features", TensorProto.FLOAT, ["batch", 3])],
        [value("score", TensorProto.FLOAT, ["batch"])],
        [
            ("weight", np.array([1, 2, 3], np.float32)),
            ("bias", np.array([0.5], np.float32)),
        ],
    )


def pair():
    """Two inputs, two outputs: their sum, and whether the left one is greater."""
    save(
        "pair",
        [
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Greater", ["left", "right"], ["greater"]),
        ],
        [
            value("left", TensorProto.DOUBLE, ["batch", 2]),
            value("right", TensorProto.DOUBLE, ["batch", 2]),
        ],
        [
            value("sum", TensorProto.DOUBLE, ["batch", 2]),
            value("greater", TensorProto.BOOL, ["batch", 2]),
        ],
    )


def count():
    """Whole numbers: the number of items of each row, plus one."""
    save(
        "count",
        [
            helper.make_node("ReduceSum", ["items", "axis"], ["total"], keepdims=0),
            helper.make_node("Add", ["total", "one"], ["count"]),
        ],
        [value("items", TensorProto.INT64, ["batch", "items"])],
        [value("count", TensorProto.INT64, ["batch"])],
        [("axis", np.array([1], np.int64)), ("one", np.array([1], np.int64))],
    )


def external():
    """A matrix product with its matrix in another file, which foretell refuses to read.

    The matrix is square, because ONNX Runtime itself stumbles over a vector there.
    """
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32), "weight")
    onnx.external_data_helper.set_external_data(weight, "weight.bin", offset=0, length=36)
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weight"], ["scores"])],
        "external",
        [value("features", TensorProto.FLOAT, ["batch", 3])],
        [value("scores", TensorProto.FLOAT, ["batch", 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "foretell"
    (HERE / "external.onnx").write_bytes(model.SerializeToString(deterministic=True))


def text():
    """A string input, an element type which cannot cross as plain memory."""
    save(
        "text",
        [helper.make_node("Identity", ["words"], ["same"])],
        [value("words", TensorProto.STRING, ["batch"])],
        [value("same", TensorProto.STRING, ["batch"])],
    )


def found():
    """Places of what is not zero: as many as there are. Its file says what the network is for."""
    save(
        "found",
        [helper.make_node("NonZero", ["picture"], ["places"])],
        [value("picture", TensorProto.UINT8, ["rows", "columns"])],
        [value("places", TensorProto.INT64, [2, "found"])],
        said=[("purpose", "finding things"), ("names", "{0: 'thing'}")],
    )


if __name__ == "__main__":
    affine()
    pair()
    count()
    external()
    text()
    found()
