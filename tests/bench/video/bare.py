"""The network alone, on images that are ready: what no program can be faster than that runs it for each frame.

    python bare.py --model network.onnx --size 416 --frames 221

Runs it twice: with all processors on one image at a time, and with as many images at a time as there are processors, each
on one of them. Prints one line of JSON: seconds, of the quicker way.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime

# Images before the clock starts.
WARM = 8


def seconds(model, images, workers, threads):
    """How long all images take, with so many at a time, and so many threads for each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    run = lambda image: session.run(["boxes", "scores"], {"image": image[None]})[0].shape
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, images[:WARM]))
        begin = time.perf_counter()
        list(pool.map(run, images))
        return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    arguments = parser.parse_args()
    shape = (arguments.frames, arguments.size, arguments.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    cores = os.cpu_count() or 1
    ways = [(1, cores), (cores, 1)]
    print(json.dumps({"seconds": min(seconds(arguments.model, images, *way) for way in ways)}))


if __name__ == "__main__":
    main()
