"""Labels of the COCO detector for what a set of photographs leaves unlabelled."""

import numpy as np

import data
import detect
from shared import detector

# Columns of the detector's scores, in the order of our classes.
COLUMNS = (
    detector.CAR,
    detector.TRUCK,
    detector.BUS,
    detector.MOTORCYCLE,
    detector.BICYCLE,
    detector.PERSON,
    detector.TRAFFIC_LIGHT,
    detector.STOP_SIGN,
)
ROWS = 8


def found(nodes, constants, pictures, score_min, several=False):
    """(boxes in pixels of the picture, scores, classes) of each picture."""
    answers = []
    for first in range(0, len(pictures), ROWS):
        part = pictures[first : first + ROWS]
        images = np.stack([data.squashed(picture.image, detector.SIDE, detector.SIDE) for picture in part])
        for picture, boxes, scores in zip(part, *detector.detections(nodes, constants, images)):
            height, width = picture.image.shape[:2]
            boxes = boxes * np.array([width, height] * 2)
            answers.append(detect.objects(boxes, scores[:, COLUMNS], score_min, several=several))
    return answers


def labelled(nodes, constants, pictures, score_min):
    """The pictures with boxes for classes that their set does not know; these stay unknown elsewhere."""
    result = []
    for picture, (boxes, _, classes) in zip(pictures, found(nodes, constants, pictures, score_min, True)):
        new = ~picture.known[classes]
        height, width = picture.image.shape[:2]
        boxes = np.clip(boxes[new], 0, np.array([width, height] * 2))
        result.append(data.joined(picture, boxes, classes[new]))
    return result
