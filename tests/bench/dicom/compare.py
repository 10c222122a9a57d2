"""Compares the stored samples that core/media decodes with those that pydicom decodes, file by file.

    pip download --no-deps pydicom==3.0.2 pydicom-data==1.0.0     # then unpack both wheels into FILES
    cargo build --release -p foretell-media --example decode
    python compare.py DECODE FILES

DECODE is the built example. Every .dcm file below FILES is decoded by both. Prints a table of the files that are not equal,
and the counts. Exits with 1 when a file differs, is refused for no reason, or ends the process.

Lossy JPEG may differ in its last bits, since the standard leaves the inverse cosine transform and the interpolation of colours
to the decoder: such files count as close when no sample differs by more than TOLERANCE from one of pydicom's plugins.
"""

import argparse
import collections
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pydicom
from pydicom.pixels import get_decoder

# Levels of 256 or 4096 by which one decoder of lossy JPEG may differ from another.
TOLERANCE = 1
LOSSY_JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
LOSSY_JPEG_2000 = {"1.2.840.10008.1.2.4.91"}
TIMEOUT_SECONDS = 60


def ours(program, paths, directory):
    """One JSON object per path; None where the process ended."""
    results = []
    for number, path in enumerate(paths):
        raw = pathlib.Path(directory) / str(number)
        raw.mkdir()
        try:
            run = subprocess.run(
                [program, "--raw", raw, path], capture_output=True, timeout=TIMEOUT_SECONDS, check=True
            )
            result = json.loads(run.stdout)
        except (subprocess.SubprocessError, json.JSONDecodeError) as error:
            results.append({"crash": str(error)})
            continue
        if "error" not in result:
            samples = np.fromfile(raw / "0", dtype=np.dtype(result["type"]).newbyteorder("<"))
            result["array"] = samples.reshape([result["frames"], *result["shape"]])
        results.append(result)
    return results


def theirs(path):
    """The arrays of pydicom, one of each plugin that decodes the file, or the reason why none does."""
    dataset = pydicom.dcmread(path, force=True)
    decoder = None
    try:
        syntax = dataset.file_meta.TransferSyntaxUID
        decoder = get_decoder(syntax)
    except (AttributeError, NotImplementedError) as error:
        return None, [], str(error)
    plugins = [""] if decoder.is_native else list(decoder.available_plugins)
    arrays, reasons = [], []
    for plugin in plugins:
        try:
            array, _ = decoder.as_array(dataset, raw=True, decoding_plugin=plugin)
        except Exception as error:  # noqa: BLE001  (plugins raise what they like)
            reasons.append(f"{plugin}: {error}".strip())
            continue
        frames = int(dataset.get("NumberOfFrames") or 1)
        samples = int(dataset.SamplesPerPixel)
        arrays.append(array.reshape(frames, dataset.Rows, dataset.Columns, samples))
    return syntax, arrays, "; ".join(reasons)


def verdict(result, syntax, arrays, reason):
    """A category, and what there is to say."""
    if "crash" in result:
        return "crashed or hung", result["crash"]
    if "error" in result:
        if not arrays:
            return "refused by both", f"{result['error']}  |  pydicom: {reason}"
        return "refused by us alone", result["error"]
    if not arrays:
        return "refused by pydicom alone", reason
    found = result["array"]
    distances = []
    for array in arrays:
        if array.dtype.itemsize != found.dtype.itemsize or array.dtype.kind != found.dtype.kind:
            distances.append((float("inf"), f"type {found.dtype}, pydicom has {array.dtype}"))
            continue
        distance = np.abs(array.astype(np.float64) - found.astype(np.float64))
        # Not a number equals itself here.
        distance[np.isnan(array.astype(np.float64)) & np.isnan(found.astype(np.float64))] = 0
        unequal = np.count_nonzero(distance)
        distances.append((float(distance.max()), f"{unequal} of {distance.size} samples, by up to {distance.max():g}"))
    distance, text = min(distances)
    if distance == 0:
        return "equal", ""
    if distance <= TOLERANCE and syntax in LOSSY_JPEG:
        return f"within {TOLERANCE}, lossy JPEG", text
    if distance <= TOLERANCE and syntax in LOSSY_JPEG_2000:
        return f"within {TOLERANCE}, lossy JPEG 2000", text
    if len(arrays) > 1:
        spread = max(np.abs(arrays[0].astype(np.float64) - other.astype(np.float64)).max() for other in arrays[1:])
        text += f"; pydicom's plugins differ from each other by up to {spread:g}"
    return "differing", text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("decode", help="the example `decode` of core/media, built")
    parser.add_argument("files", type=pathlib.Path, help="a directory with .dcm files")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)

    paths = sorted(arguments.files.rglob("*.dcm"))
    counts = collections.Counter()
    bad = False
    with tempfile.TemporaryDirectory() as directory:
        for path, result in zip(paths, ours(arguments.decode, paths, directory), strict=True):
            category, text = verdict(result, *theirs(path))
            counts[category] += 1
            bad |= category in ("differing", "refused by us alone", "crashed or hung")
            if category != "equal":
                print(f"{category:28} {path.relative_to(arguments.files)}\n{'':28} {text}")
    print()
    for category, count in sorted(counts.items()):
        print(f"{count:4} {category}")
    print(f"{len(paths):4} files, pydicom {pydicom.__version__}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
