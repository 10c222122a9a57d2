"""What must hold of the shared modules; `python -m unittest` in this directory.

The package's archive is fetched with npm into the folder that FORETELL_BACKBONE names, or into a temporary one.
"""

import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import backbone
import detector
import graph

SIDE = 64


def same(image, weight, stride, groups):
    """TensorFlow's convolution with padding "SAME", by its definition: image [h, w, c], weight as in its graphs."""
    size = weight.shape[0]
    side = -(-image.shape[0] // stride)
    missing = max(0, (side - 1) * stride + size - image.shape[0])
    image = np.pad(image, ((missing // 2, missing - missing // 2),) * 2 + ((0, 0),))
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))[::stride, ::stride]
    if groups > 1:
        return np.einsum("yxcij,ijc->yxc", windows, weight[:, :, :, 0])
    return np.einsum("yxcij,ijco->yxo", windows, weight)


class Interpreter:
    """Evaluates the package's own graph node by node, with strides and connections as the graph tells them."""

    def __init__(self, nodes, constants, image):
        self.nodes, self.constants = nodes, constants
        self.found = {"Preprocessor/sub": image}

    def value(self, name):
        name = name.split(":")[0]
        if name not in self.found:
            self.found[name] = self._computed(name)
        return self.found[name]

    def _computed(self, name):
        if name in self.constants:
            return self.constants[name].astype(np.float64)
        node = self.nodes[name]
        first, *rest = (self.value(source) for source in node["input"] if not source.startswith("^"))
        match node["op"]:
            case "Identity":
                return first
            case "Conv2D" | "DepthwiseConv2dNative":
                stride = int(node["attr"]["strides"]["list"]["i"][1])
                groups = first.shape[-1] if node["op"].startswith("Depthwise") else 1
                return same(first, rest[0], stride, groups)
            case "Add" | "AddV2" | "AddN" | "BiasAdd":
                return sum(rest, first)
            case "Mul":
                return first * rest[0]
            case "Relu6":
                return np.clip(first, 0, 6)
        raise AssertionError(f"unknown node {node['op']} {name}")


class Shared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        archive = backbone.fetch(os.environ.get("FORETELL_BACKBONE", cls.folder.name))
        cls.nodes, cls.constants = backbone.read(archive)

    def body(self, depth, channels):
        body = backbone.Body(depth, channels)
        body.load(self.constants)
        body.freeze(0)
        return body.eval()

    def test_the_body_answers_as_the_graph_of_the_package(self):
        generator = np.random.default_rng(0)
        grey = np.repeat(generator.uniform(-1, 1, (SIDE, SIDE, 1)), 3, axis=2)
        colour = generator.uniform(-1, 1, (SIDE, SIDE, 3))
        for image, channels in ((grey, 1), (colour, 3)):
            graph = Interpreter(self.nodes, self.constants, image)
            given = torch.from_numpy(image[:, :, :channels]).permute(2, 0, 1)[None]
            for depth, name in ((13, "expanded_conv_13/expand/Relu6"), (17, "Conv_1/Relu6")):
                with torch.inference_mode():
                    _, top = self.body(depth, channels).double()(given)
                expected = graph.value(f"{backbone.SCOPE}/{name}")
                # A weight that joins the depthwise kernel and its scale is rounded to 32 bit once more than the
                # package's.
                np.testing.assert_allclose(top[0].permute(1, 2, 0).numpy(), expected, atol=2e-5)

    def test_other_numbers_of_channels_and_odd_sides_are_refused(self):
        with self.assertRaises(ValueError):
            backbone.Body(13, channels=4)
        with self.assertRaises(ValueError):
            self.body(13, 3)(torch.zeros(1, 3, SIDE + 8, SIDE))

    def test_an_archive_with_another_hash_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / backbone.ARCHIVE).write_bytes(b"something else")
            with self.assertRaises(SystemExit):
                backbone.fetch(folder)

    def test_the_detector_answers_as_the_interpreter(self):
        image = np.random.default_rng(0).integers(0, 256, (1, detector.SIDE, detector.SIDE, 3)).astype(np.uint8)
        boxes, scores = detector.detections(self.nodes, self.constants, image)
        self.assertEqual((boxes.shape, scores.shape), ((1, 1917, 4), (1, 1917, 91)))
        self.assertTrue((boxes[..., 2:] > boxes[..., :2]).all())
        # The logits of the first predictor's first places, by its definition.
        values = Interpreter(self.nodes, self.constants, image[0] * (2 / 255) - 1)
        whole = values.value(f"{backbone.SCOPE}/expanded_conv_13/expand/Relu6")
        side, deep = len(whole), whole[:4, :4]
        name = "BoxPredictor_0/ClassPredictor"
        scale, shift, mean, variance = (
            self.constants[f"{name}_depthwise/BatchNorm/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        epsilon = self.nodes[f"{name}_depthwise/BatchNorm/FusedBatchNorm"]["attr"]["epsilon"]["f"]
        wide = same(deep, self.constants[f"{name}_depthwise/depthwise_weights"].astype(np.float64), 1, deep.shape[-1])
        wide = np.clip((wide - mean) / np.sqrt(variance + epsilon) * scale + shift, 0, 6)
        logits = wide @ self.constants[f"{name}/weights"][0, 0] + self.constants[f"{name}/biases"]
        expected = 1 / (1 + np.exp(-logits[:3, :3].reshape(9, 3, 91)))
        found = scores[0, : side * side * 3].reshape(side, side, 3, 91)[:3, :3].reshape(9, 3, 91)
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_a_written_body_answers_as_torch(self):
        for channels in (1, 3):
            body = self.body(17, channels)
            written = graph.Graph()
            image = written.add(
                "Cast", written.add("Transpose", "image", perm=[0, 3, 1, 2]), to=graph.TensorProto.FLOAT
            )
            image = written.add("Sub", written.add("Mul", image, written.constant(2 / 255)), written.constant(1))
            written.convolution(written.body(image, body)[-1], body.top)
            written.nodes[-1].output[0] = "top"
            model = written.model(
                "test", [SIDE, SIDE, channels], {"top": [backbone.TOP, SIDE // 32, SIDE // 32]}, "test"
            )
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            levels = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, channels)).astype(np.uint8)
            with torch.inference_mode():
                maps, _ = body(torch.from_numpy(levels).permute(0, 3, 1, 2).float() * (2 / 255) - 1)
                expected = body.top(maps[-1]).numpy()
            # The graph's weights have 11 bits: about 1 part in 1,000 of what is summed up.
            size = np.abs(expected).max()
            np.testing.assert_allclose(session.run(["top"], {"image": levels})[0], expected, atol=1e-2 * size)


if __name__ == "__main__":
    unittest.main()
