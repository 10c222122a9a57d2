"""Scores a folder of images with Pillow, pydicom, onnxruntime and sqlite3.

    python score_images.py --folder DIR --model network.onnx --size 160 --db NEW.db [--threads N]

Reads every file below the folder, in batches; makes each grey and stretches it to the network's size; stores path, score and
novelty of each in a table. Prints one line of JSON: images, seconds, and the sum of the scores.
"""

import argparse
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pydicom
from PIL import Image
from pydicom.multival import MultiValue

BATCH = 32


def display(dataset):
    """The picture that a person would be shown, 8 bits: rescale, the first window, then MONOCHROME1 upside down."""
    values = dataset.pixel_array.astype(np.float32)
    values = values * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    if "WindowWidth" in dataset:
        first = lambda value: float(value[0] if isinstance(value, MultiValue) else value)
        centre, width = first(dataset.WindowCenter), first(dataset.WindowWidth)
        share = (values - (centre - 0.5)) / max(width - 1, 1) + 0.5
    else:
        low, high = values.min(), values.max()
        share = (values - low) / max(high - low, 1)
    levels = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(255 - levels if dataset.PhotometricInterpretation == "MONOCHROME1" else levels)


def picture(path, size):
    """One file as the network takes it: uint8 [size, size, 1]."""
    if path.suffix == ".dcm":
        image = display(pydicom.dcmread(path))
    else:
        image = Image.open(path)
        # Decodes the brightness alone where the file has colours.
        image.draft("L", None)
    image = image.convert("L").resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)[:, :, None]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--threads", type=int, default=1, help="threads that decode")
    arguments = parser.parse_args()

    begin = time.perf_counter()
    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])
    database = sqlite3.connect(arguments.db)
    database.execute("CREATE TABLE prediction (path TEXT PRIMARY KEY, score REAL, novelty REAL)")
    paths = sorted(path for path in arguments.folder.rglob("*") if path.is_file())
    total = 0.0
    with ThreadPoolExecutor(arguments.threads) as pool:
        decode = map if arguments.threads == 1 else pool.map
        for first in range(0, len(paths), BATCH):
            batch = paths[first : first + BATCH]
            pixels = np.stack(list(decode(lambda path: picture(path, arguments.size), batch)))
            scores, novelty = session.run(["score", "novelty"], {"image": pixels})
            rows = zip(map(str, batch), scores.tolist(), novelty.tolist(), strict=True)
            database.executemany("INSERT INTO prediction VALUES (?, ?, ?)", rows)
            total += float(scores.sum())
    database.commit()
    print(json.dumps({"images": len(paths), "seconds": time.perf_counter() - begin, "sum": total}))


if __name__ == "__main__":
    main()
