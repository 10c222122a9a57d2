"""Average precision by pycocotools, per class and over all labelled classes of a set."""

import contextlib
import io
import time

import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import data
import detect

# Objects with lower scores do not reach the list that is judged.
SCORE_MIN = 0.01
RESAMPLES = 500
# Pictures for the figures of speed.
REPEATS = 64
# Scores at which precision and recall are told.
THRESHOLDS = (0.3, 0.4, 0.45, 0.5)
# Among which the one with the best mean F1 is looked for.
CANDIDATES = tuple(number / 100 for number in range(10, 91))
BAND = 0.1
BANDS = tuple(round(number * BAND, 1) for number in range(10))


def truth(pictures):
    """COCO's index of what is labelled; regions to ignore become crowds of every known class."""
    images, entries = [], []
    for number, picture in enumerate(pictures):
        height, width = picture.image.shape[:2]
        images.append({"id": number + 1, "width": width, "height": height})
        for box, kind in zip(picture.boxes.astype(float), picture.classes.tolist()):
            for name in [kind] if kind != data.IGNORED else np.flatnonzero(picture.known).tolist():
                sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                entries.append(
                    {
                        "id": len(entries) + 1,
                        "image_id": number + 1,
                        "category_id": name + 1,
                        "bbox": [float(value) for value in sides],
                        "area": float(sides[2] * sides[3]),
                        "iscrowd": int(kind == data.IGNORED),
                    }
                )
    index = COCO()
    index.dataset = {
        "images": images,
        "annotations": entries,
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(data.NAMES)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        index.createIndex()
    return index


def rows(pictures, found):
    """[image, left, top, width, height, score, category] of all objects; `found`: (boxes, scores, classes) a picture."""
    parts = []
    for number, (picture, (boxes, scores, classes)) in enumerate(zip(pictures, found)):
        height, width = picture.image.shape[:2]
        boxes = np.clip(boxes, 0, np.array([width, height] * 2))
        image = np.full(len(boxes), number + 1)
        parts.append(np.column_stack([image, boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores, classes + 1]))
    return np.concatenate(parts)


def judged(pictures, found, classes):
    """pycocotools' evaluation of the objects found, for the given classes."""
    index = truth(pictures)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(index, index.loadRes(rows(pictures, found)), "bbox")
        evaluation.params.catIds = [number + 1 for number in classes]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def figures(pictures, found):
    """{"map", "ap50", "classes": {name: {"ap", "ap50"}}} over the known classes that occur."""
    classes = sorted({kind for picture in pictures for kind in picture.classes.tolist()} - {data.IGNORED})
    # [IoU, recall, class, area, objects an image]: all areas, 100 objects.
    precision = judged(pictures, found, classes).eval["precision"][:, :, :, 0, 2]
    each = {
        data.NAMES[kind]: {"ap": float(precision[:, :, n].mean()), "ap50": float(precision[0, :, n].mean())}
        for n, kind in enumerate(classes)
    }
    return {
        "map": float(np.mean([figure["ap"] for figure in each.values()])),
        "ap50": float(np.mean([figure["ap50"] for figure in each.values()])),
        "classes": each,
    }


def listed(pictures, answers, side, score_min=SCORE_MIN):
    """Objects of every picture in its own pixels. `answers(images uint8 [n, side, side, 3])` gives boxes and scores."""
    found = []
    for first in range(0, len(pictures), 16):
        part = pictures[first : first + 16]
        images, scales = zip(*(data.fitted(picture.image, side) for picture in part))
        for scale, boxes, scores in zip(scales, *answers(np.stack(images))):
            boxes, scores, classes = detect.objects(boxes, scores, score_min)
            found.append((boxes / scale, scores, classes))
    return found


def session(path):
    """One thread, as the figures of speed say."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(network):
    """A function for `listed`, of a written graph."""
    return lambda images: network.run(["boxes", "scores"], {"image": images})


def speed(network, name, shape, kind, rows=(1, 8)):
    """Milliseconds of processor time a picture, in batches of so many rows: the median of many runs."""
    found = {}
    for count in rows:
        images = np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(kind)
        taken = []
        for _ in range(REPEATS // count):
            begin = time.process_time()
            network.run(None, {name: images})
            taken.append((time.process_time() - begin) * 1000 / count)
        found[f"batch_{count}_ms"] = round(float(np.median(taken)), 2)
    return found


class Matches:
    """The objects of one class, best first, and whether each meets a labelled one, so that images can be resampled."""

    def __init__(self, entries, images):
        entries = [entry for entry in entries if entry is not None]
        number = {image: index for index, image in enumerate(images)}
        scores = np.concatenate([np.asarray(entry["dtScores"], float) for entry in entries] + [np.zeros(0)])
        order = np.argsort(-scores, kind="mergesort")
        met = np.concatenate([np.asarray(entry["dtMatches"]) > 0 for entry in entries], axis=1)[:, order]
        ignored = np.concatenate([np.asarray(entry["dtIgnore"]) > 0 for entry in entries], axis=1)[:, order]
        owner = np.concatenate([np.full(len(entry["dtScores"]), number[entry["image_id"]]) for entry in entries])
        self.scores, self.owner = scores[order], owner[order].astype(int)
        self.right, self.wrong = met & ~ignored, ~met & ~ignored
        self.labelled = np.zeros(len(images))
        for entry in entries:
            self.labelled[number[entry["image_id"]]] += np.sum(np.asarray(entry["gtIgnore"]) == 0)

    def precision(self, weights):
        """Average precision at each IoU (pycocotools' 101 recalls); `weights`: how often each image counts."""
        wanted = self.labelled @ weights
        if not wanted:
            return None
        each = weights[self.owner]
        right, wrong = np.cumsum(self.right * each, axis=1), np.cumsum(self.wrong * each, axis=1)
        found = []
        for hit, miss in zip(right, wrong):
            share = np.maximum.accumulate((hit / np.maximum(hit + miss, np.spacing(1)))[::-1])[::-1]
            places = np.searchsorted(hit / wanted, np.linspace(0, 1, 101), side="left")
            found.append(np.append(share, 0.0)[places].mean())
        return np.array(found)

    def f1(self, score):
        """Harmonic mean of precision and recall at an IoU of .5."""
        above = self.scores >= score
        right, wrong = self.right[0, above].sum(), self.wrong[0, above].sum()
        return 2 * right / (right + wrong + self.labelled.sum())

    def at(self, score, level=0):
        """{"precision", "recall"} of the objects with at least this score, at an IoU of .5 (level 0)."""
        above = self.scores >= score
        right, wrong = self.right[level, above].sum(), self.wrong[level, above].sum()
        return {
            "precision": round(float(right / max(1, right + wrong)), 4),
            "recall": round(float(right / self.labelled.sum()), 4),
        }


def bounds(values):
    return [round(float(value), 4) for value in np.quantile(values, [0.025, 0.975])]


def detailed(pictures, found):
    """`figures` with 95 % intervals (images resampled), the numbers of boxes, precision and recall at thresholds,
    and the threshold with the best mean F1.
    """
    classes = sorted({kind for picture in pictures for kind in picture.classes.tolist()} - {data.IGNORED})
    evaluation = judged(pictures, found, classes)
    images, areas = evaluation.params.imgIds, len(evaluation.params.areaRng)
    # evalImgs lies as [class, area, image]; the first area is all.
    each = {
        kind: Matches(evaluation.evalImgs[n * areas * len(images) : (n * areas + 1) * len(images)], images)
        for n, kind in enumerate(classes)
    }
    generator = np.random.default_rng(0)
    weights = [np.ones(len(images))]
    weights += [
        np.bincount(generator.integers(0, len(images), len(images)), minlength=len(images)) for _ in range(RESAMPLES)
    ]
    table = [{kind: matches.precision(weight) for kind, matches in each.items()} for weight in weights]
    result = {"images": len(images)}
    for name, pick in (("map", np.mean), ("ap50", lambda levels: levels[0])):
        # A resample without a class is left out of that class's interval, and of the mean.
        means = [np.mean([pick(levels) for levels in row.values() if levels is not None]) for row in table]
        result[name] = {"value": round(float(means[0]), 4), "interval": bounds(means[1:])}
    result["classes"] = {}
    for kind, matches in each.items():
        each_row = [row[kind] for row in table if row[kind] is not None]
        result["classes"][data.NAMES[kind]] = {
            "boxes": int(matches.labelled.sum()),
            "ap": {
                "value": round(float(each_row[0].mean()), 4),
                "interval": bounds([row.mean() for row in each_row[1:]]),
            },
            "ap50": {"value": round(float(each_row[0][0]), 4), "interval": bounds([row[0] for row in each_row[1:]])},
        } | {f"at_{score}": matches.at(score) for score in THRESHOLDS}
    means = [np.mean([matches.f1(score) for matches in each.values()]) for score in CANDIDATES]
    result["best"] = {"score": CANDIDATES[int(np.argmax(means))], "f1": round(float(np.max(means)), 4)}
    result["calibration"] = calibration(each.values())
    return result


def calibration(each):
    """Of objects in bands of scores: how many there are, their mean score, and which share is right at an IoU of .5."""
    scores = np.concatenate([matches.scores[(matches.right | matches.wrong)[0]] for matches in each])
    right = np.concatenate([matches.right[0][(matches.right | matches.wrong)[0]] for matches in each])
    result = []
    for low in BANDS:
        band = (scores >= low) & (scores < low + BAND)
        if band.any():
            share, mean = float(right[band].mean()), float(scores[band].mean())
            result.append({"from": low, "objects": int(band.sum()), "mean": round(mean, 3), "right": round(share, 3)})
    return result
