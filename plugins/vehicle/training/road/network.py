"""The network: the COCO detector of the package with its own heads, cut down to our classes, its constants learnable.

1,917 anchors on six maps (19, 10, 5, 3, 2 and 1 places a side) of a MobileNetV2; each answers with a chance for each
class and with a box.
"""

import re

import torch
from torch import nn

import teacher
from shared import backbone, detector

# Side of the pictures that the anchors are made for, in pixels.
SIDE = detector.SIDE
# Classes of the package, the background among them.
PACKAGE_CLASSES = 91


def cut(name, value):
    """Of a class predictor the columns of our classes; anything else as it is."""
    if not re.search("/ClassPredictor/(weights|biases)$", name):
        return value
    anchors = value.shape[-1] // PACKAGE_CLASSES
    each = value.unflatten(-1, (anchors, PACKAGE_CLASSES))[..., list(teacher.COLUMNS)]
    return each.flatten(-2)


def frozen(name, blocks):
    """Whether a constant belongs to the stem, or to the blocks of the body before `blocks`."""
    found = re.match(f"{backbone.SCOPE}/(Conv|expanded_conv(?:_([0-9]+))?)/", name)
    return bool(found) and int(found[2] or 0) < blocks


class Road(nn.Module):
    """Levels 0..255, [n, 3, SIDE, SIDE], to class logits [n, 1917, 8] and boxes [n, 1917, 4]: left, top, right, bottom
    in pixels.

    `frozen_blocks`: the stem and so many blocks keep their weights. Normalisations keep their means and variances.
    """

    def __init__(self, nodes, constants, frozen_blocks):
        super().__init__()
        self.nodes = nodes
        self.weights = nn.ParameterDict()
        for name in detector.constants_of(nodes, constants):
            weights = nn.Parameter(cut(name, torch.from_numpy(constants[name].copy())))
            statistics = name.endswith(("/moving_mean", "/moving_variance"))
            self.weights[name] = weights.requires_grad_(not (statistics or frozen(name, frozen_blocks)))
        self.register_buffer("anchors", torch.from_numpy(constants[detector.ANCHORS].copy()))

    def forward(self, image):
        graph = detector.Evaluation(self.nodes, self.weights, image * (2 / 255) - 1)
        boxes = detector.decoded(graph.value(detector.BOXES), self.anchors) * SIDE
        return graph.value(detector.LOGITS), boxes

    def centres(self):
        """Of the anchors, [1917, 2] in pixels, x before y."""
        return (self.anchors[0, :, :2] + self.anchors[0, :, 2:]).flip(-1) / 2 * SIDE

    def learned(self):
        return [weights for weights in self.parameters() if weights.requires_grad]
