"""What two detectors that were trained on COCO alone find on the same pictures.

    python zeroshot.py --data DATA --yolox yolox_nano.onnx --output OUT/zero_shot.json --package DIR

The second is YOLOX-nano, a graph that is not part of this project (Apache-2.0; Ge et al. 2021, arXiv 2107.08430).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import data
import detect
import evaluate
import teacher
from shared import backbone

YOLOX_SIDE, YOLOX_PAD = 416, 114
YOLOX_STRIDES = (8, 16, 32)
# Columns of COCO's 80 classes in the order of ours; a stop sign is the only traffic sign.
YOLOX_COLUMNS = (2, 7, 5, 3, 1, 0, 9, 11)
YOLOX_OVERLAP_MAX = 0.45
SETS = tuple(data.SOURCES)


def yolox(network, pictures, score_min):
    """(boxes, scores, classes) of each picture: fitted into the top left corner, blue before green before red."""
    grid = []
    for stride in YOLOX_STRIDES:
        y, x = np.mgrid[0 : YOLOX_SIDE // stride, 0 : YOLOX_SIDE // stride].reshape(2, -1)
        grid.append(np.column_stack([x, y, np.full(len(x), stride)]))
    grid = np.concatenate(grid).astype(np.float32)
    found = []
    for picture in pictures:
        height, width = picture.image.shape[:2]
        scale = YOLOX_SIDE / max(height, width)
        small = data.squashed(picture.image, round(width * scale), round(height * scale))
        canvas = np.full((YOLOX_SIDE, YOLOX_SIDE, 3), YOLOX_PAD, np.float32)
        canvas[: small.shape[0], : small.shape[1]] = small[:, :, ::-1]
        (answer,) = network.run(None, {"images": canvas.transpose(2, 0, 1)[None]})
        centre = (answer[0, :, :2] + grid[:, :2]) * grid[:, 2:]
        half = np.exp(answer[0, :, 2:4]) * grid[:, 2:] / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1) / scale
        scores = answer[0, :, 4:5] * answer[0, :, 5:][:, YOLOX_COLUMNS]
        found.append(detect.objects(boxes, scores, score_min, YOLOX_OVERLAP_MAX))
    return found


def main():
    parser = argparse.ArgumentParser(description="Measure detectors trained on COCO alone.")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--yolox", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--package", required=True, type=Path, help="folder of the package's archive")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    nodes, constants = backbone.read(backbone.fetch(arguments.package))
    network = evaluate.session(arguments.yolox)
    # The package's graph, as it is read, runs in torch alone: it has no figures of speed.
    shape = (3, YOLOX_SIDE, YOLOX_SIDE)
    figures = {"yolox_nano/speed": evaluate.speed(network, "images", shape, np.float32, rows=(1,))}
    for name, find in (
        ("coco_ssd", lambda pictures: teacher.found(nodes, constants, pictures, evaluate.SCORE_MIN)),
        ("yolox_nano", lambda pictures: yolox(network, pictures, evaluate.SCORE_MIN)),
    ):
        for source in SETS:
            for split in ("val", "test"):
                pictures = data.loaded(arguments.data, source, split)
                figures[f"{name}/{source}/{split}"] = found = evaluate.detailed(pictures, find(pictures))
                print(name, source, split, found["map"], found["ap50"], flush=True)
    arguments.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
