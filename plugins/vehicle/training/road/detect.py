"""From answers of every anchor to a list of objects: thresholds and suppression of doubles, as the plugin does it."""

import numpy as np

# Doubles of one class overlap by more than this.
OVERLAP_MAX = 0.5
CANDIDATES_MAX = 400
OBJECTS_MAX = 100


def suppressed(boxes, scores, overlap_max=OVERLAP_MAX):
    """Indices of the boxes that stay, best first; boxes [k, 4], scores [k]."""
    order, stay = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1)
    while len(order):
        best, order = order[0], order[1:]
        stay.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(boxes[best, :2], boxes[order, :2])
        shared = sides.clip(0).prod(1)
        order = order[shared <= overlap_max * (area[best] + area[order] - shared)]
    return np.array(stay, int)


def objects(boxes, scores, score_min, overlap_max=OVERLAP_MAX, several=False):
    """(boxes [m, 4], scores [m], classes [m]), best first, of one picture's boxes [a, 4] and scores [a, c].

    `several`: an anchor may be more than the best of its classes.
    """
    if not several:
        scores = np.where(np.arange(scores.shape[1]) == scores.argmax(1)[:, None], scores, -1)
    anchors, classes = np.nonzero(scores >= score_min)
    found = scores[anchors, classes]
    best = np.argsort(-found, kind="stable")[:CANDIDATES_MAX]
    anchors, classes, found = anchors[best], classes[best], found[best]
    boxes = boxes[anchors].astype(np.float64)
    # Boxes of different classes are moved apart, so that they do not suppress each other.
    apart = classes[:, None] * (boxes.max(initial=0) - boxes.min(initial=0) + 1)
    stay = suppressed(boxes + apart, found, overlap_max)[:OBJECTS_MAX]
    return boxes[stay], found[stay], classes[stay]
