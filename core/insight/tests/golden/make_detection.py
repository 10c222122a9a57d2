"""Writes detection.json: what pycocotools answers for the boxes that the tests use.

Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_detection.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

STATS = (
    *("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)


class Scene:
    """Boxes that are drawn and found; a row of `truths` is image, label, box, area, crowd, of `found` image, label, box, score."""

    def __init__(self, images, labels):
        self.images, self.labels, self.truths, self.found = images, labels, [], []

    def draw(self, image, label, box, area=None, crowd=False):
        self.truths.append((image, label, list(map(float, box)), float(box[2] * box[3] if area is None else area), crowd))

    def find(self, image, label, box, score):
        self.found.append((image, label, list(map(float, box)), float(score)))


def crowded(random, images, labels, truths, digits, jitter, false, crowds=0.1, missed=0.2, score_digits=6):
    """Things of all sizes, found not quite where they are, some twice, some as something else, some not at all."""
    scene = Scene(images, labels)
    for image in range(images):
        for _ in range(random.poisson(truths)):
            size = np.exp(random.uniform(np.log(8), np.log(250), 2))
            box = np.round(np.concatenate([random.uniform(0, 400, 2), size]), digits)
            label = int(random.integers(labels))
            scene.draw(image, label, box, round(box[2] * box[3] * random.uniform(0.5, 1), 1), bool(random.random() < crowds))
            for _ in range(int(random.random() > missed) + int(random.random() < 0.15)):
                moved = box + random.normal(0, jitter, 4) * np.tile(size, 2)
                moved[2:] = np.maximum(moved[2:], 1)
                said = label if random.random() < 0.9 else int(random.integers(labels))
                scene.find(image, said, np.round(moved, digits), round(random.beta(4, 2), score_digits))
        for _ in range(random.poisson(false)):
            box = np.concatenate([random.uniform(0, 400, 2), np.exp(random.uniform(np.log(8), np.log(250), 2))])
            scene.find(image, int(random.integers(labels)), np.round(box, digits), round(random.beta(2, 4), score_digits))
    return scene


def cases():
    random = np.random.default_rng(41)

    scene = Scene(3, 2)
    for image in range(3):
        for label in range(2):
            scene.draw(image, label, (10, 10, 20 + 60 * image, 30))
            scene.find(image, label, (10, 10, 20 + 60 * image, 30), 0.9 - 0.1 * image - 0.01 * label)
    yield "perfect", scene

    scene = Scene(2, 2)
    scene.draw(0, 0, (0, 0, 50, 50))
    scene.draw(1, 0, (0, 0, 50, 50))
    yield "nothing found", scene

    scene = Scene(2, 2)
    scene.find(0, 1, (0, 0, 50, 50), 0.5)
    yield "nothing drawn", scene

    yield "nothing at all", Scene(1, 1)

    scene = Scene(2, 3)
    scene.draw(0, 0, (0, 0, 50, 50))
    scene.find(0, 0, (0, 0, 50, 40), 0.9)
    scene.find(0, 1, (0, 0, 50, 50), 0.9)
    scene.draw(1, 2, (0, 0, 50, 50))
    yield "one label without truth, one without detection", scene

    # Overlaps of exactly 0.5, 0.55, ... 0.95 and 1, and just below.
    scene = Scene(22, 1)
    for n in range(11):
        for image, short in ((2 * n, 0), (2 * n + 1, 0.001)):
            scene.draw(image, 0, (0, 0, 100, 100))
            scene.find(image, 0, (0, 0, 100, 50 + 5 * n - short), 0.01 * (image + 1))
    yield "overlaps at the thresholds", scene

    # Truths at the borders between small, medium and large, and one too large to be counted.
    scene = Scene(6, 1)
    for image, side in enumerate((32, 96, 31.5, 96.5, 200, 20)):
        scene.draw(image, 0, (5, 5, side, side))
        scene.find(image, 0, (5, 5, side, side * 0.9), 0.3 + 0.1 * image)
        scene.find(image, 0, (300, 5, side, side), 0.35 + 0.1 * image)
    scene.draw(5, 0, (0, 0, 200000, 100000))
    scene.find(5, 0, (0, 0, 200000, 100000), 0.99)
    scene.find(4, 0, (0, 0, 150000, 100000), 0.98)
    yield "sizes at the borders", scene

    # Crowds: hit several times, chosen only when nothing else is left, and drawn over a truth.
    scene = Scene(3, 1)
    scene.draw(0, 0, (0, 0, 400, 300), crowd=True)
    scene.draw(0, 0, (10, 10, 60, 60))
    for n in range(4):
        scene.find(0, 0, (10 + 2 * n, 10, 60, 60), 0.9 - 0.1 * n)
    scene.find(0, 0, (380, 280, 60, 60), 0.95)
    scene.draw(1, 0, (0, 0, 50, 50), crowd=True)
    scene.draw(1, 0, (0, 0, 50, 50), crowd=True)
    scene.find(1, 0, (0, 0, 50, 50), 0.4)
    scene.draw(2, 0, (0, 0, 50, 50))
    scene.find(2, 0, (0, 0, 50, 45), 0.3)
    yield "crowds", scene

    # Truths that agree with a detection equally well, where the choice decides what is left for the next one.
    scene = Scene(2, 1)
    for x in (0, 20):
        scene.draw(0, 0, (x, 0, 60, 60))
    scene.find(0, 0, (10, 0, 60, 60), 0.9)
    scene.find(0, 0, (20, 0, 60, 60), 0.8)
    for x in (0, 0, 20):
        scene.draw(1, 0, (x, 0, 60, 60))
    scene.find(1, 0, (10, 0, 60, 60), 0.7)
    scene.find(1, 0, (0, 0, 60, 60), 0.7)
    scene.find(1, 0, (20, 0, 60, 60), 0.7)
    yield "equal overlaps", scene

    scene = Scene(2, 1)
    for n in range(40):
        scene.draw(n % 2, 0, (10 * n, 0, 9, 9))
    for n in range(260):
        scene.find(n % 2, 0, (10 * int(random.integers(40)), int(random.integers(3)), 9, 9), round(random.random(), 2))
    yield "more than 100 in an image", scene

    scene = Scene(2, 1)
    scene.draw(0, 0, (0, 0, 50, 50))
    scene.draw(1, 0, (10, 10, 0, 40))
    scene.find(0, 0, (0, 0, 0, 50), 0.9)
    scene.find(0, 0, (0, 0, 50, 0), 0.8)
    scene.find(1, 0, (10, 10, 0, 40), 0.7)
    scene.find(0, 0, (0, 0, 50, 35), 0.6)
    yield "boxes without area", scene

    yield "all kinds of things", crowded(random, 40, 4, 5, 2, 0.08, 2)
    yield "coarse scores", crowded(random, 25, 2, 4, 1, 0.06, 3, score_digits=1)
    yield "one score", crowded(random, 12, 2, 3, 1, 0.06, 2, score_digits=0)
    yield "whole pixels", crowded(random, 25, 3, 4, 0, 0.1, 1, crowds=0.3)
    yield "many empty images", crowded(random, 60, 2, 0.4, 2, 0.05, 0.2)
    yield "more labels than boxes", crowded(random, 8, 30, 3, 2, 0.05, 1)
    yield "mostly false", crowded(random, 15, 1, 2, 2, 0.15, 15, missed=0.6)
    yield "one image, close together", crowded(random, 1, 1, 60, 1, 0.03, 10, score_digits=2)


def dataset(scene, rows):
    data = COCO()
    data.dataset = {
        "images": [{"id": image} for image in range(scene.images)],
        "categories": [{"id": label} for label in range(scene.labels)],
        "annotations": [row | {"id": number} for number, row in enumerate(rows, 1)],
    }
    data.createIndex()
    return data


def expected(scene):
    drawn = [
        {"image_id": image, "category_id": label, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for image, label, box, area, crowd in scene.truths
    ]
    found = [
        {"image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, "score": score}
        for image, label, box, score in scene.found
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(dataset(scene, drawn), dataset(scene, found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # Thresholds, recalls, labels, areas, numbers of detections; and the same without recalls.
    precision, recall = evaluation.eval["precision"][..., 0, 2], evaluation.eval["recall"][..., 0, 2]

    def classes(label):
        return {
            "ap": mean(precision[:, :, label]),
            "ap50": mean(precision[0, :, label]),
            "ap75": mean(precision[5, :, label]),
            "ar100": mean(recall[:, label]),
        }

    stats = {name: none_if_absent(stat) for name, stat in zip(STATS, evaluation.stats)}
    return stats | {"classes": [classes(label) for label in range(scene.labels)]}


def mean(values):
    return none_if_absent(values.mean())


def none_if_absent(value):
    return None if value == -1 else float(value)


def written(name, scene):
    def column(rows, place):
        return [row[place] for row in rows]

    return {
        "name": name,
        "images": scene.images,
        "labels": scene.labels,
        "truths": {
            "images": column(scene.truths, 0),
            "labels": column(scene.truths, 1),
            "boxes": column(scene.truths, 2),
            "areas": column(scene.truths, 3),
            "crowds": column(scene.truths, 4),
        },
        "detections": {
            "images": column(scene.found, 0),
            "labels": column(scene.found, 1),
            "boxes": column(scene.found, 2),
            "scores": column(scene.found, 3),
        },
        "expected": expected(scene),
    }


def main():
    lines = ",\n".join(json.dumps(written(*case), separators=(",", ":")) for case in cases())
    pathlib.Path(__file__).with_name("detection.json").write_text(f'{{"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
