"""Makes a folder of images out of a few: copies that are other files for whoever looks at them closely.

    python copies.py --count 10 --output DIR FILE...

A copy of a DICOM file has an instance UID of its own, one of a JPEG file a comment of its own; the pixels are the same.
"""

import argparse
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid


def copy(source, number, target):
    if source.suffix == ".dcm":
        dataset = pydicom.dcmread(source)
        uid = generate_uid(entropy_srcs=[source.name, str(number)])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.save_as(target)
        return
    words = f"copy {number}".encode()
    # After the marker that begins the file: a comment, with its length.
    begin, rest = source.read_bytes()[:2], source.read_bytes()[2:]
    target.write_bytes(begin + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + rest)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for source in arguments.files:
        for number in range(arguments.count):
            copy(source, number, arguments.output / f"{source.stem}-{number:03}{source.suffix}")


if __name__ == "__main__":
    main()
