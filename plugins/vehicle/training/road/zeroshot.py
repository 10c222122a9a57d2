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
import network
import teacher
from shared import backbone

YOLOX_SIDE = 416
YOLOX_OVERLAP_MAX = 0.45
SETS = tuple(data.SOURCES)


def corners(answer):
    """Boxes [3549, 4] in pixels: left, top, right, bottom; `answer`: [3549, 85] of the graph."""
    places = network.places(YOLOX_SIDE)
    centre = (answer[:, :2] + places[:, :2]) * places[:, 2:]
    half = np.exp(answer[:, 2:4]) * places[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def chances(answer):
    """Scores [3549, 8] of our classes: chance of an object times chance of a class."""
    return answer[:, 4:5] * answer[:, 5:][:, network.COLUMNS]


def yolox(session, pictures, score_min):
    """(boxes, scores, classes) of each picture: fitted into the top left corner, blue before green before red."""
    found = []
    for picture in pictures:
        image, scale = data.fitted(picture.image, YOLOX_SIDE)
        levels = image[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        (answer,) = session.run(None, {"images": levels})
        found.append(detect.objects(corners(answer[0]) / scale, chances(answer[0]), score_min, YOLOX_OVERLAP_MAX))
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
    session = evaluate.session(arguments.yolox)
    # The package's graph, as it is read, runs in torch alone: it has no figures of speed.
    shape = (3, YOLOX_SIDE, YOLOX_SIDE)
    figures = {"yolox_nano/speed": evaluate.speed(session, "images", shape, np.float32, rows=(1,))}
    for name, find in (
        ("coco_ssd", lambda pictures: teacher.found(nodes, constants, pictures, evaluate.SCORE_MIN)),
        ("yolox_nano", lambda pictures: yolox(session, pictures, evaluate.SCORE_MIN)),
    ):
        for source in SETS:
            for split in ("val", "test"):
                pictures = data.loaded(arguments.data, source, split)
                figures[f"{name}/{source}/{split}"] = found = evaluate.detailed(pictures, find(pictures))
                print(name, source, split, found["map"], found["ap50"], flush=True)
    arguments.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
