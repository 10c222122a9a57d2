"""Which anchors answer for which box, and the loss.

Assignment: task alignment (Feng et al. 2021, arXiv 2108.07755). Loss: varifocal (Zhang et al. 2021, arXiv 2008.13367)
towards the alignment, and complete IoU (Zheng et al. 2020, arXiv 1911.08287).
"""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from data import IGNORED

# Anchors that answer for a box; chance to the power of ALPHA times IoU to the power of BETA says which.
ANCHORS_MAX = 10
ALPHA, BETA = 0.5, 6.0
# Of the boxes' part of the loss; the classes' part counts once.
BOX_WEIGHT = 2.5
# Of what is not to be found: the chance to the power of FOCUS, times SHARE. Else the anchors
# without an object, a thousand for each that has one, would be most of the loss.
FOCUS, SHARE = 2.0, 0.75
TINY = 1e-9


def overlap(one, other, complete=False):
    """IoU of boxes [..., 4], less the penalties for distance and shape if it is to be complete."""
    sides = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    first, second = one[..., 2:] - one[..., :2], other[..., 2:] - other[..., :2]
    iou = shared / (first.prod(-1) + second.prod(-1) - shared + TINY)
    if not complete:
        return iou
    hull = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]).square().sum(-1) / 4
    angles = torch.atan2(first[..., 0], first[..., 1] + TINY) - torch.atan2(second[..., 0], second[..., 1] + TINY)
    shape = angles.square() * (4 / torch.pi**2)
    with torch.no_grad():
        weight = shape / (1 - iou + shape + TINY)
    return iou - apart / (hull.square().sum(-1) + TINY) - weight * shape


def inside(centres, boxes):
    """[n, k, a]: the centre of an anchor lies in a box."""
    low = centres[None, None] - boxes[:, :, None, :2]
    high = boxes[:, :, None, 2:] - centres[None, None]
    return torch.cat([low, high], dim=-1).amin(-1) > TINY


@torch.no_grad()
def assigned(chances, predicted, centres, boxes, classes):
    """(index of the box each anchor answers for [n, a], alignment [n, a] 0..1, whether it answers for any [n, a]).

    chances [n, a, 8], predicted [n, a, 4]; boxes [n, k, 4] and classes [n, k], filled up with `IGNORED`.
    """
    wanted = classes != IGNORED
    picked = classes.clamp(min=0)[:, None, :].expand(-1, chances.shape[1], -1)
    chance = chances.gather(2, picked).transpose(1, 2)
    iou = overlap(predicted[:, None], boxes[:, :, None])
    candidates = inside(centres, boxes) & wanted[:, :, None]
    alignment = chance.pow(ALPHA) * iou.pow(BETA) * candidates
    best = alignment.topk(ANCHORS_MAX, dim=2)
    chosen = torch.zeros_like(alignment).scatter_(2, best.indices, 1.0).bool() & candidates
    # An anchor answers for one box: that which it overlaps most.
    owner = (iou + TINY).masked_fill(~chosen, 0).max(1)
    chosen &= torch.arange(boxes.shape[1])[None, :, None] == owner.indices[:, None]
    alignment, iou = alignment * chosen, iou * chosen
    # The best anchor of a box is as sure as its box is right.
    scaled = alignment / (alignment.amax(2, keepdim=True) + TINY) * iou.amax(2, keepdim=True)
    return owner.indices, torch.where(chosen.any(1), scaled.amax(1), 0.0), chosen.any(1)


def loss(answers, centres, boxes, classes, known):
    """The loss of one batch, and its two parts. answers: logits and boxes; known: bool [n, 8]."""
    logits, predicted = answers
    owner, quality, positive = assigned(logits.detach().sigmoid(), predicted.detach(), centres, boxes, classes)
    own_boxes = boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    own_classes = classes.gather(1, owner).clamp(min=0)
    target = torch.zeros_like(logits).scatter_(2, own_classes[..., None], (quality * positive)[..., None])
    # Nothing is said about classes without labels, nor by anchors in regions to ignore.
    blank = (inside(centres, boxes) & (classes == IGNORED)[:, :, None]).any(1) & ~positive
    told = (known[:, None] & ~blank[..., None]) | (target > 0)
    total = target.sum().clamp(min=1)
    cross = binary_cross_entropy_with_logits(logits, target, reduction="none")
    importance = torch.where(target > 0, target, SHARE * logits.detach().sigmoid().pow(FOCUS))
    parts = {"classes": (cross * importance * told).sum() / total, "box": 0 * predicted.sum()}
    if positive.any():
        apart = 1 - overlap(predicted[positive], own_boxes[positive], complete=True)
        parts["box"] = (apart * quality[positive]).sum() / total
    return parts["classes"] + BOX_WEIGHT * parts["box"], parts
