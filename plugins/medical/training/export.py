"""The ONNX graphs that the plugins run: from 8 bit grey pictures to calibrated answers."""

import torch
from onnx import TensorProto

import novelty
from network import DEVIATION, DEVIATION_FLOOR, Brain
from shared import graph as writer


class Medical(writer.Graph):
    """The layers that the medical networks add to those of the body."""

    def standardised(self):
        """`image` uint8 [n, h, w, 1] to what `network.standardised` gives."""
        image = self.add("Cast", self.add("Transpose", "image", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        centred = self.add("Sub", image, self.mean(image, 1, 2, 3, keep=True))
        variance = self.mean(self.add("Mul", centred, centred), 1, 2, 3, keep=True)
        deviation = self.add("Add", self.add("Sqrt", variance), self.constant(DEVIATION_FLOOR))
        return self.add("Mul", centred, self.add("Div", self.constant(DEVIATION), deviation))

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


def chest_model(members, offset, temperature, distance, size, description):
    """`image` uint8 [n, h, w, 1] to `score` [n], `novelty` [n] and `activation` [n, h, w].

    The members' activations are averaged, which averages their logits. The score is the sigmoid of (logit + offset) /
    temperature. Layers that all members kept frozen are computed once. The distance is that of the first member.
    """
    graph = Medical()
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
    return graph.model("chest_xray", [size, size, 1], shapes, description)


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
    graph = Medical()
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
    return graph.model("brain_tumor", [size, size, 1], shapes, description)


def outline_model(network, size, description):
    """`image` uint8 [n, h, w, 1] to `mask` [n, h, w]."""
    graph = Medical()
    _, _, outline = _outlined(graph, network)
    full = graph.add("Squeeze", graph.doubled(outline, "linear"), graph.whole(1))
    graph.add("Sigmoid", full, result="mask")
    return graph.model("brain_outline", [size, size, 1], {"mask": [size, size]}, description)
