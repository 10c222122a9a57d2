"""The network: a small residual one on two views of the crop."""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, relu

from data import CLASSES, SIDE

# Added to a standard deviation, in grey levels: a uniform crop must not become noise or NaN.
DEVIATION_FLOOR = 1.0
# The same for local contrast, where levels are logarithms.
LOCAL_FLOOR = 0.02
# Grey levels that are added before the logarithm: below this many, differences are noise.
DARK = 8.0
# Pixels of the side of the square whose mean and deviation make a pixel's local contrast.
LOCAL = 9
WIDTHS = (32, 64, 128, 256)


def standardised(image):
    """uint8 [n, h, w, 3] to float [n, 4, h, w]: three colours and the local contrast of their mean.

    The colours of a crop together have mean 0 and deviation 1, which takes exposure and contrast away and leaves the
    hue. Local contrast is that of the logarithm: it shows what is on a dark sign in front of a bright sky.
    """
    image = image.permute(0, 3, 1, 2).float()
    mean = image.mean((1, 2, 3), keepdim=True)
    deviation = (image - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    colours = (image - mean) / (deviation + DEVIATION_FLOOR)
    grey = (image.mean(1, keepdim=True) + DARK).log()
    centred = grey - around(grey)
    local = centred / (around(centred.square()).sqrt() + LOCAL_FLOOR)
    return torch.cat([colours, local], dim=1)


def around(image):
    """Mean over the square about each pixel; at the border over what is inside the crop."""
    return avg_pool2d(image, LOCAL, 1, LOCAL // 2, count_include_pad=False)


class Convolution(nn.Module):
    """3 x 3 or 1 x 1, batch normalisation."""

    def __init__(self, incoming, outgoing, size, stride=1):
        super().__init__()
        self.layer = nn.Conv2d(incoming, outgoing, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outgoing)

    def forward(self, image):
        return self.norm(self.layer(image))

    def folded(self):
        """(weight, bias) of the one convolution that does the same once training is over."""
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        return self.layer.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, incoming, outgoing, stride):
        super().__init__()
        self.first = Convolution(incoming, outgoing, 3, stride)
        self.second = Convolution(outgoing, outgoing, 3)
        self.shortcut = Convolution(incoming, outgoing, 1, stride) if incoming != outgoing else None

    def forward(self, image):
        beside = image if self.shortcut is None else self.shortcut(image)
        return relu(self.second(relu(self.first(image))) + beside)


class Signs(nn.Module):
    """Stem at full size, blocks at 1/2, 1/4, 1/4 and 1/8, one linear layer on all places.

    It is the whole last map, not its mean: which digit stands on the left is what tells speed limits apart.
    """

    def __init__(self, dropout):
        super().__init__()
        stem, half, quarter, eighth = WIDTHS
        self.stem = Convolution(4, stem, 3)
        self.blocks = nn.ModuleList(
            [Block(stem, half, 2), Block(half, quarter, 2), Block(quarter, quarter, 1), Block(quarter, eighth, 2)]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(eighth * (SIDE // 8) ** 2, len(CLASSES))

    def maps(self, image):
        """What the stem and each block give for standardised crops."""
        maps = [relu(self.stem(image))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps

    def forward(self, image):
        """Standardised crops [n, 4, h, w] to logits [n, 43]."""
        return self.head(self.dropout(self.maps(image)[-1].flatten(1)))
