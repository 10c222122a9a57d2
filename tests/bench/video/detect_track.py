"""Detects and tracks in a video with OpenCV, onnxruntime, supervision's ByteTrack and sqlite3.

    python detect_track.py --video FILE --model network.onnx --size 416 --labels car,truck --score .3 --overlap .5 --db NEW.db

What an experienced person would write: every frame is resized (stretched, or with `--corner LEVEL` into the upper left corner of a
square of that grey), the network is asked, boxes are suppressed for each class,
tracked and stored. Prints one line of JSON: frames, detections, tracks, seconds.
"""

import argparse
import json
import sqlite3
import time

import cv2
import numpy as np
import onnxruntime
import supervision

# Boxes that may be left before those that overlap are suppressed, as many as the product keeps.
BOXES_MAX = 300


def objects(boxes, scores, score, overlap):
    """(boxes, scores, classes) that are sure enough, without those that overlap a surer one of their class."""
    places, classes = np.nonzero(scores >= score)
    found, sure = boxes[places], scores[places, classes]
    if not len(found):
        return found, sure, classes
    sides = np.column_stack([found[:, :2], found[:, 2:] - found[:, :2]])
    kept = np.asarray(cv2.dnn.NMSBoxesBatched(sides, sure, classes, score, overlap)).flatten()[:BOXES_MAX]
    return found[kept], sure[kept], classes[kept]


def fitted(picture, size, level):
    """(what the network takes, red first; pixels of the frame to one of it, across and down)."""
    height, width = picture.shape[:2]
    if level is None:
        across, down = size, size
    else:
        across, down = (round(side * size / max(width, height)) for side in (width, height))
    resized = cv2.resize(picture, (across, down), interpolation=cv2.INTER_AREA)
    if (across, down) != (size, size):
        square = np.full((size, size, 3), level, np.uint8)
        square[:down, :across] = resized
        resized = square
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)[None], (width / across, height / down)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--video", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--score", type=float, required=True)
    parser.add_argument("--overlap", type=float, required=True)
    parser.add_argument("--corner", type=int, metavar="LEVEL", help="keep proportions, with this grey beside the frame")
    parser.add_argument("--db", required=True)
    arguments = parser.parse_args()

    begin = time.perf_counter()
    labels = arguments.labels.split(",")
    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])
    database = sqlite3.connect(arguments.db)
    columns = "frame INTEGER, track INTEGER, label TEXT, score REAL, x REAL, y REAL, width REAL, height REAL"
    database.execute(f"CREATE TABLE detection ({columns})")
    database.execute(f"CREATE TABLE tracked ({columns})")
    video = cv2.VideoCapture(arguments.video)
    tracker = supervision.ByteTrack(frame_rate=round(video.get(cv2.CAP_PROP_FPS)))
    frame = detections = 0
    tracks = set()
    while True:
        whole, picture = video.read()
        if not whole:
            break
        image, scale = fitted(picture, arguments.size, arguments.corner)
        boxes, scores = session.run(["boxes", "scores"], {"image": image})
        boxes, sure, classes = objects(boxes[0], scores[0], arguments.score, arguments.overlap)
        boxes = boxes * np.array(scale * 2, np.float32)
        found = supervision.Detections(xyxy=boxes.reshape(-1, 4), confidence=sure, class_id=classes)
        followed = tracker.update_with_detections(found)
        for table, rows in (("detection", found), ("tracked", followed)):
            numbers = rows.tracker_id if rows.tracker_id is not None else [None] * len(rows)
            lines = [
                (frame, number and int(number), labels[kind], float(score), *map(float, (x, y, right - x, low - y)))
                for (x, y, right, low), score, kind, number in zip(
                    rows.xyxy, rows.confidence, rows.class_id, numbers, strict=True
                )
            ]
            database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)
        detections += len(found)
        tracks.update(map(int, followed.tracker_id if followed.tracker_id is not None else []))
        frame += 1
    database.commit()
    seconds = time.perf_counter() - begin
    print(json.dumps({"frames": frame, "detections": detections, "tracks": len(tracks), "seconds": seconds}))


if __name__ == "__main__":
    main()
