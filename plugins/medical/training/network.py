"""The two networks: a classifier with a class activation map, and a classifier that also outlines the tumour."""

import torch
from torch import nn
from torch.nn.functional import interpolate, relu6

from shared import backbone

# A picture's levels after standardisation, mean 0 and this standard deviation, about what the body was trained on.
DEVIATION = 0.5
# Added to the standard deviation of a picture, in grey levels: a uniform picture must not become noise or NaN.
DEVIATION_FLOOR = 1.0
# Logit of a pixel of which nothing is known yet: about the share of a slice that is tumour.
OUTLINE_BIAS = -3.0


def standardised(image):
    """uint8 or float [n, h, w] to float [n, 1, h, w]: each picture with mean 0 and the same standard deviation.

    Takes the picture's own exposure and contrast away.
    """
    image = image.float()
    mean = image.mean((1, 2), keepdim=True)
    deviation = (image - mean).square().mean((1, 2), keepdim=True).sqrt()
    return ((image - mean) * (DEVIATION / (deviation + DEVIATION_FLOOR)))[:, None]


class Chest(nn.Module):
    """Body, mean over the places, one linear layer. `depth`: blocks of the body."""

    def __init__(self, depth=13, dropout=0.2):
        super().__init__()
        self.body = backbone.Body(depth, channels=1)
        self.head = nn.Linear(self.body.top.out_channels, 1)
        self.dropout = dropout
        self.depth = depth

    def forward(self, image):
        """Standardised pictures to logits [n]."""
        _, top = self.body(image)
        pooled = nn.functional.dropout(top.mean((2, 3)), self.dropout, self.training)
        return self.head(pooled)[:, 0]

    def parts(self, image):
        """(logits [n], activation [n, h, w], maps of the body): the activation's mean plus the bias is the logit."""
        maps, top = self.body(image)
        activation = torch.einsum("nchw,c->nhw", top, self.head.weight[0])
        return activation.mean((1, 2)) + self.head.bias, activation, [*maps, top]


def begun(module):
    """Weights of new layers such that a map keeps its size through them (He et al. 2015, arXiv 1502.01852)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


class Merge(nn.Module):
    """Doubles a map's sides, adds the map of that size from the body, and mixes: 3 x 3 in each channel, then across."""

    def __init__(self, coarse, fine, outputs):
        super().__init__()
        self.coarse = backbone.Convolution(coarse, outputs)
        self.fine = backbone.Convolution(fine, outputs)
        self.depthwise = backbone.Convolution(outputs, outputs, 3, groups=outputs)
        self.mix = backbone.Convolution(outputs, outputs)
        begun(self)

    def forward(self, coarse, fine):
        coarse = interpolate(self.coarse(coarse), scale_factor=2, mode="nearest")
        merged = relu6(coarse + self.fine(fine))
        return relu6(self.mix(relu6(self.depthwise(merged))))


class Brain(nn.Module):
    """Three tumour types and the outline.

    The outline is decoded from the body's maps in steps of two. The type is told from two sums: the whole picture's
    (mean over the coarsest map), and the tumour's (map at 1/16 of the side, weighted with the outline).
    """

    CLASSES = 3
    # Added to the chance of tumour at every place when the tumour's sum is weighted.
    ATTENTION_FLOOR = 1e-3
    # Index in the body's maps of the last one of each size (sides /2, /4, /8, /16, /32), and channels of the decoder.
    LEVELS = (1, 3, 6, 13, 17)
    WIDTHS = (16, 24, 48, 128)

    def __init__(self, dropout=0.3):
        super().__init__()
        self.body = backbone.Body(channels=1)
        channels = [(backbone.STEM, *backbone.CHANNELS)[level] for level in self.LEVELS]
        self.merges = nn.ModuleList()
        coarse = channels[-1]
        for fine, width in zip(channels[-2::-1], self.WIDTHS[::-1]):
            self.merges.append(Merge(coarse, fine, width))
            coarse = width
        self.outline = backbone.Convolution(coarse, 1, 3)
        nn.init.constant_(self.outline.bias, OUTLINE_BIAS)
        self.whole = nn.Linear(self.body.top.out_channels, self.CLASSES)
        self.tumour = nn.Linear(self.WIDTHS[-1], self.CLASSES, bias=False)
        self.dropout = dropout

    def maps(self, image):
        """(maps of the body with its top, map at 1/16 of the decoder, outline logits [n, 1, h/2, w/2])."""
        maps, top = self.body(image)
        merged = [maps[self.LEVELS[-1]].float()]
        for merge, level in zip(self.merges, self.LEVELS[-2::-1]):
            merged.append(merge(merged[-1], maps[level].float()))
        return [*maps, top], merged[1], self.outline(merged[-1])

    @staticmethod
    def attention(outline, size):
        """Where the tumour is, [n, 1, h, w] at the size of the map: sums to 1, even if no pixel is likely."""
        factor = outline.shape[-1] // size
        weight = nn.functional.avg_pool2d(outline.sigmoid(), factor) + Brain.ATTENTION_FLOOR
        return weight / weight.sum((2, 3), keepdim=True)

    def forward(self, image):
        """Standardised pictures to (logits [n, 3], outline logits [n, 1, h/2, w/2])."""
        maps, local, outline = self.maps(image)
        attention = self.attention(outline.detach(), local.shape[-1])
        whole = nn.functional.dropout(maps[-1].mean((2, 3)), self.dropout, self.training)
        tumour = nn.functional.dropout((local * attention).sum((2, 3)), self.dropout, self.training)
        return self.whole(whole) + self.tumour(tumour), outline

    def parts(self, image):
        """(logits [n, 3], activation [n, 3, h, w], outline logits, maps): logit = mean of the activation + bias."""
        maps, local, outline = self.maps(image)
        attention = self.attention(outline, local.shape[-1])
        whole = torch.einsum("nchw,kc->nkhw", maps[-1], self.whole.weight)
        places = local.shape[-1] * local.shape[-2]
        tumour = torch.einsum("nchw,kc->nkhw", local * (attention * places), self.tumour.weight)
        activation = interpolate(whole, scale_factor=2, mode="nearest") + tumour
        return activation.mean((2, 3)) + self.whole.bias, activation, outline, maps


def built(kind, constants, settings):
    """A network with the pre-trained body; `constants` is what `backbone.read` gives."""
    network = Chest(settings["depth"], settings["dropout"]) if kind == "chest" else Brain(settings["dropout"])
    network.body.load(constants)
    network.body.freeze(settings["frozen"])
    return network.to(memory_format=torch.channels_last)
