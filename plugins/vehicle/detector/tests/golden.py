"""Writes golden.json: what networks of every layout answer, and the boxes that this means.

    python3 -m venv VENV
    VENV/bin/pip install -r models/requirements.txt
    VENV/bin/python golden.py

Tensors are not stored: each number follows from its place, by the formula of `tensor`, which tests/decode.rs has too. The boxes
are worked out from the definition of the layout, one anchor after the other.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SIZE = 64
CLASSES = ["car", "bus", "tram", "person"]
MAP = {"car": "car", "bus": "bus", "person": "person"}
LABELS = ["car", "bus", "person"]
SCORE = 0.5
OVERLAP = 0.3
STRIDES = [8, 16, 32]
SIZES = [[[10, 14], [24, 12]], [[30, 40], [50, 24]], [[60, 60], [40, 20]]]


def tensor(seed, shape, low, high):
    """Numbers between low and high, by a multiplicative hash of their place."""
    place = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed)
    mixed = (place * np.uint64(2654435761) + np.uint64(97)) % np.uint64(2**32)
    mixed = (mixed ^ (mixed >> np.uint64(13))) * np.uint64(2246822519) % np.uint64(2**32)
    unit = (mixed >> np.uint64(8)).astype(np.float64) / 2**24
    return (low + (high - low) * unit).astype(np.float32).reshape(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def around(x, y, width, height):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def scored(box, scores):
    """The best class of an anchor that has a label."""
    best = max((CLASSES.index(name) for name in MAP), key=lambda index: scores[index])
    if scores[best] < SCORE:
        return []
    return [(box, float(scores[best]), MAP[CLASSES[best]])]


def overlap(left, right):
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    shared = max(width, 0) * max(height, 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return shared / (area(left) + area(right) - shared)


def suppress(found, limit):
    found = [one for one in found if one[0][2] > one[0][0] and one[0][3] > one[0][1]]
    found = sorted(found, key=lambda one: -one[1])
    kept = []
    for one in found:
        if all(one[2] != other[2] or overlap(one[0], other[0]) <= limit for other in kept):
            kept.append(one)
    return kept


def cells(stride):
    return [(x, y) for y in range(SIZE // stride) for x in range(SIZE // stride)]


def yolox():
    """Rows scale by scale; probabilities."""
    rows = sum(len(cells(stride)) for stride in STRIDES)
    parts = [[1, (rows, 5 + len(CLASSES)), 0, 1]]
    table = tensor(*parts[0]).astype(np.float64)
    places = [(x, y, stride) for stride in STRIDES for x, y in cells(stride)]
    found = []
    for row, (x, y, stride) in zip(table, places):
        box = around((x + row[0]) * stride, (y + row[1]) * stride, *(np.exp(row[2:4]) * stride))
        found += scored(box, row[4] * row[5:])
    return {"layout": "yolox"}, parts, suppress(found, OVERLAP)


def yolov5(form):
    """Rows scale by scale, and anchor by anchor; logarithms of odds."""
    places = [
        (x, y, stride, size)
        for stride, sizes in zip(STRIDES, SIZES)
        for size in sizes
        for x, y in cells(stride)
    ]
    columns = 5 + len(CLASSES)
    if form == "grid":
        parts = [[2, (len(places), columns), -3, 2]]
    else:
        parts = [
            [30 + 1000 * index, (len(sizes), SIZE // stride, SIZE // stride, columns), -3, 2]
            for index, (stride, sizes) in enumerate(zip(STRIDES, SIZES))
        ]
    table = np.concatenate([tensor(*part).reshape(-1, columns) for part in parts]).astype(np.float64)
    found = []
    for row, (x, y, stride, size) in zip(table, places):
        p = sigmoid(row)
        centre = (x - 0.5 + 2 * p[0]) * stride, (y - 0.5 + 2 * p[1]) * stride
        box = around(*centre, (2 * p[2]) ** 2 * size[0], (2 * p[3]) ** 2 * size[1])
        found += scored(box, p[4] * p[5:])
    config = {"layout": "yolov5", "form": form, "sizes": SIZES, "activation": "sigmoid"}
    return config, parts, suppress(found, OVERLAP)


def yolov5_decoded():
    parts = [[7, (40, 5 + len(CLASSES)), 0, 1]]
    found = []
    for row in tensor(*parts[0]).astype(np.float64):
        box = around(*(row[:4] * SIZE))
        found += scored(box, row[4] * row[5:])
    config = {"layout": "yolov5", "form": "decoded", "rows": 40, "unit": "fraction"}
    return config, parts, suppress(found, OVERLAP)


def yolov8():
    """All first numbers, all second ones, and so on; logarithms of odds."""
    anchors = sum(len(cells(stride)) for stride in STRIDES)
    parts = [[8, (4 + len(CLASSES), anchors), -8, 8]]
    found = []
    for column in tensor(*parts[0]).astype(np.float64).T:
        found += scored(around(*column[:4]), sigmoid(column[4:]))
    return {"layout": "yolov8", "activation": "sigmoid"}, parts, suppress(found, OVERLAP)


def ssd():
    """Boxes top first, in parts of the image; the background is no class."""
    rows = 50
    parts = [[9, (rows, 4), 0, 1], [10, (rows, len(CLASSES)), 0, 0.8]]
    boxes, scores = (tensor(*part).astype(np.float64) for part in parts)
    found = []
    for (top, left, bottom, right), row in zip(boxes, scores):
        found += scored([left * SIZE, top * SIZE, right * SIZE, bottom * SIZE], row)
    config = {"layout": "ssd", "rows": rows, "order": "yxyx", "unit": "fraction"}
    return config, parts, suppress(found, OVERLAP)


def centre():
    """Cells of 4 pixels that no neighbour outdoes in a class."""
    side = SIZE // 4
    parts = [
        [11, (len(CLASSES), side, side), -6, 0.5],
        [12, (2, side, side), 0.5, 6],
        [13, (2, side, side), 0, 1],
    ]
    heat, sizes, offsets = (tensor(*part).astype(np.float64) for part in parts)
    found = []
    for y in range(side):
        for x in range(side):
            around_it = heat[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            peak = heat[:, y, x] >= around_it.max(axis=(1, 2))
            box = around(
                (x + offsets[0, y, x]) * 4, (y + offsets[1, y, x]) * 4, sizes[0, y, x] * 4, sizes[1, y, x] * 4
            )
            found += scored(box, np.where(peak, sigmoid(heat[:, y, x]), 0))
    return {"layout": "centre", "activation": "sigmoid", "overlap": 1.0}, parts, suppress(found, 1)


def case(name, made):
    config, parts, boxes = made
    config = {"classes": CLASSES, "map": MAP, "score": SCORE, "overlap": OVERLAP} | config
    assert 3 <= len(boxes) <= 60, (name, len(boxes))
    return {
        "name": name,
        "config": config,
        "size": SIZE,
        "tensors": [{"seed": seed, "shape": shape, "low": low, "high": high} for seed, shape, low, high in parts],
        "boxes": [
            {"corners": [round(float(side), 4) for side in box], "score": round(score, 6), "label": label}
            for box, score, label in boxes
        ],
    }


if __name__ == "__main__":
    cases = [
        case("yolox", yolox()),
        case("yolov5 grid", yolov5("grid")),
        case("yolov5 scales", yolov5("scales")),
        case("yolov5 decoded", yolov5_decoded()),
        case("yolov8", yolov8()),
        case("ssd", ssd()),
        case("centre", centre()),
    ]
    text = json.dumps(cases, separators=(",", ":")).replace('{"name"', '\n{"name"')
    (HERE / "golden.json").write_text(text + "\n")
    for one in cases:
        print(one["name"], len(one["boxes"]))
