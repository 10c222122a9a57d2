"""Writes explanation.json: what SciPy, Pillow and NumPy answer for the images that the tests explain.

The box filters of the blur are SciPy's, the larger maps are Pillow's. What no library of the field is the measure of
(occlusion, the curves) is written down here with NumPy from the definition: every patch and every step by itself, and
no sums that are carried along.

Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_explanation.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import json
import math
import pathlib

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter1d

BLUR_SHARE = 0.05
BOX_PASSES = 3


def blurred(image):
    sigma = BLUR_SHARE * min(image.shape[:2])
    # Three boxes of `w` pixels have the variance 3 (w^2 - 1) / 12.
    radius = max(1, round((math.sqrt(4 * sigma**2 + 1) - 1) / 2))
    image = image.astype(float)
    for axis in (1, 0):
        for _ in range(BOX_PASSES):
            image = uniform_filter1d(image, 2 * radius + 1, axis=axis, mode="nearest")
    return np.floor(image + 0.5).astype(np.uint8)


def mean(image):
    pixel = np.floor(image.reshape(-1, image.shape[2]).mean(axis=0) + 0.5)
    return np.broadcast_to(pixel, image.shape).astype(np.uint8)


BASELINES = {"blurred": blurred, "mean": mean}


def score(image, weights):
    """What the tests' model answers: something that is not linear."""
    return float(np.tanh((weights * image).sum() / 255))


def occlusion(image, weights, patch, stride, baseline):
    height, width = image.shape[:2]
    tops = [*range(0, height - patch, stride), height - patch]
    lefts = [*range(0, width - patch, stride), width - patch]
    drops = [[[] for _ in range(width)] for _ in range(height)]
    for top in tops:
        for left in lefts:
            hidden = image.copy()
            here = np.s_[top : top + patch, left : left + patch]
            hidden[here] = BASELINES[baseline](image)[here]
            drop = score(image, weights) - score(hidden, weights)
            for row in range(top, top + patch):
                for column in range(left, left + patch):
                    drops[row][column].append(drop)
    return np.array([[np.mean(pixel) for pixel in row] for row in drops])


def curve(image, weights, heat, steps, start, end):
    order = np.argsort(-heat.ravel(), kind="stable")
    scores, shares = [], []
    for step in range(steps + 1):
        count = math.floor(step * heat.size / steps + 0.5)
        mixed = start.reshape(-1, image.shape[2]).copy()
        mixed[order[:count]] = end.reshape(-1, image.shape[2])[order[:count]]
        scores.append(score(mixed.reshape(image.shape), weights))
        shares.append(count / heat.size)
    return {"shares": shares, "scores": scores, "area": float(np.trapezoid(scores, shares))}


def rounded(values, digits=9):
    return np.asarray(values, dtype=float).ravel().round(digits).tolist()


def images():
    random = np.random.default_rng(47)
    sizes = [(9, 7, 1), (6, 11, 3), (40, 48, 1)]
    settings = [(3, 2, "mean", 10), (4, 3, "blurred", 7), (16, 8, "blurred", 12)]
    for size, (patch, stride, baseline, steps) in zip(sizes, settings):
        image = random.integers(0, 256, size, dtype=np.uint8)
        weights = (random.normal(0, 4, size) / np.prod(size)).round(4)
        heat = occlusion(image, weights, patch, stride, baseline).astype(np.float32)
        # Some of the map's values are tied, so that the order of ties is looked at.
        order_by = heat.round(3).astype(np.float32)
        gone = BASELINES[baseline](image)
        yield {
            "size": size,
            "image": image.ravel().tolist(),
            "weights": weights.ravel().tolist(),
            "patch": patch,
            "stride": stride,
            "baseline": baseline,
            "steps": steps,
            "blurred": blurred(image).ravel().tolist(),
            "mean": mean(image)[0, 0].tolist(),
            "score": score(image, weights),
            "map": rounded(heat),
            "order_by": rounded(order_by),
            "deletion": curve(image, weights, order_by, steps, image, gone),
            "insertion": curve(image, weights, order_by, steps, blurred(image), image),
        }


def maps():
    random = np.random.default_rng(53)
    for (height, width), (high, wide) in [((7, 7), (21, 30)), ((1, 4), (3, 9)), ((2, 3), (2, 3)), ((5, 1), (13, 2))]:
        heat = random.normal(0, 1, (height, width)).round(3).astype(np.float32)
        # An image of mode F holds floats. Made larger, Pillow's bilinear filter is plain interpolation.
        larger = np.asarray(Image.fromarray(heat).resize((wide, high), Image.Resampling.BILINEAR))
        yield {"size": (height, width), "map": rounded(heat, 3), "resized": (high, wide), "expected": rounded(larger)}


file = {"images": list(images()), "maps": list(maps())}
path = pathlib.Path(__file__).with_name("explanation.json")
path.write_text(json.dumps(file, separators=(",", ":")).replace('{"size"', '\n{"size"') + "\n")
