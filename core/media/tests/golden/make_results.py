"""Writes results.json: what pydicom and highdicom read in the DICOM files that this crate writes.

The files are named by a hash of their data set, so the tests know that they write the very bytes that were read here.
Run it in an environment outside this repository:

    cargo run -p foretell-media --example dicom_results -- DIRECTORY
    python3 -m venv "$HOME/golden" && "$HOME/golden/bin/pip" install -r requirements_results.txt
    "$HOME/golden/bin/python" make_results.py DIRECTORY

The output depends on nothing but the files and the pinned versions: run twice, it is the same file.
"""

import hashlib
import json
import pathlib
import struct
import sys
import tempfile

import highdicom
import numpy as np
import pydicom
from pydicom.fileset import FileSet


def data_set_hash(path):
    """SHA-256 of what stands behind the header, whose length stands in its first element."""
    content = path.read_bytes()
    (length,) = struct.unpack("<I", content[140:144])
    return hashlib.sha256(content[144 + length :]).hexdigest()


def clean(path, original):
    file, before = pydicom.dcmread(path), pydicom.dcmread(original)
    assert file.file_meta.MediaStorageSOPInstanceUID == file.SOPInstanceUID
    assert np.array_equal(file.pixel_array, before.pixel_array)
    texts = {e.keyword: str(e.value) for e in file if e.VR not in ("SQ", "OW", "OB", "US") and e.value}
    codes = [item.CodeValue for item in file.DeidentificationMethodCodeSequence]
    return {"hash": data_set_hash(path), "texts": texts, "method_codes": codes}


def report(path):
    file = highdicom.sr.srread(path)
    groups = []
    for group in file.content.get_image_measurement_groups():
        (score,) = group.get_measurements()
        (predicted,) = group.get_qualitative_evaluations()
        (source,) = group.source_images
        groups.append(
            {
                "label": group.finding_type.meaning,
                "score": float(score.value),
                "unit": score.unit.value,
                "predicted": predicted.value.meaning,
                "algorithm": [
                    str(item.value)
                    for item in group[0].ContentSequence
                    if item.name.meaning.startswith("Algorithm")
                ],
                "image": source.referenced_sop_instance_uid,
            }
        )
    (evaluations,) = [i for i in file.content[0].ContentSequence if i.name.meaning == "Qualitative Evaluations"]
    said = {
        item.name.meaning: item.value if item.ValueType == "TEXT" else item.value.meaning
        for item in evaluations.ContentSequence
    }
    (study,) = file.CurrentRequestedProcedureEvidenceSequence
    return {
        "hash": data_set_hash(path),
        "class": file.SOPClassUID.name,
        "study": file.StudyInstanceUID,
        "evidence": study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
        "time": file.ContentDate + " " + file.ContentTime,
        "groups": groups,
        "evaluations": said,
    }


def segmentation(path):
    file = highdicom.seg.segread(path)
    ((study, series, image),) = file.get_source_image_uids()
    planes = file.get_pixels_by_source_instance([image])
    assert np.array_equal(planes[0], np.moveaxis(pydicom.dcmread(path).pixel_array, 0, -1))
    described = [file.get_segment_description(number) for number in file.segment_numbers]
    orientation = getattr(file.SharedFunctionalGroupsSequence[0], "PlaneOrientationSequence", None)
    return {
        "hash": data_set_hash(path),
        "study": study,
        "series": series,
        "image": image,
        "mask": file.get_pixels_by_source_instance([image], combine_segments=True)[0].tolist(),
        "labels": [segment.segment_label for segment in described],
        "algorithms": [segment.algorithm_identification.name for segment in described],
        "orientation": orientation and [float(value) for value in orientation[0].ImageOrientationPatient],
    }


def directory(paths):
    files = FileSet()
    for path in paths:
        files.add(path)
    files.UID = "2.25.1"
    with tempfile.TemporaryDirectory() as place:
        files.write(place)
        content = (pathlib.Path(place) / "DICOMDIR").read_bytes()
        read = FileSet(pathlib.Path(place) / "DICOMDIR")
        images = [
            {"path": pathlib.Path(file.path).relative_to(place).parts, "sop_instance_uid": file.SOPInstanceUID}
            for file in read
        ]
    return {"bytes": content.hex(), "images": images}


def main():
    place = pathlib.Path(sys.argv[1])
    golden = {"directory": directory([place / "radiograph.dcm", place / "slice.dcm"])}
    for name in ("radiograph", "slice"):
        golden[name] = {
            "clean": clean(place / f"{name}_clean.dcm", place / f"{name}.dcm"),
            "report": report(place / f"{name}_report.dcm"),
            "segmentation": segmentation(place / f"{name}_segmentation.dcm"),
        }
    out = pathlib.Path(__file__).with_name("results.json")
    out.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


main()
