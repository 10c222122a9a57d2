"""Writes tracking.json: what py-motmetrics and TrackEval answer for the tracks that the tests use.

CLEAR MOT and identity are those of py-motmetrics, HOTA is that of TrackEval. Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_tracking.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import json
import math
import pathlib

import motmetrics
import numpy as np
from motmetrics.distances import boxiou
from trackeval.datasets._base_dataset import _BaseDataset
from trackeval.metrics import HOTA

DISTANCE_MAX = 0.5
# What py-motmetrics calls a figure, and what we call it.
CLEAR = {
    "mota": "mota",
    "motp": "motp_distance",
    "precision": "precision",
    "recall": "recall",
    "num_switches": "switches",
    "num_false_positives": "false_positives",
    "num_misses": "misses",
    "num_fragmentations": "fragmentations",
    "mostly_tracked": "mostly_tracked",
    "partially_tracked": "partly_tracked",
    "mostly_lost": "mostly_lost",
    "idf1": "idf1",
    "idp": "idp",
    "idr": "idr",
    "num_objects": "truths",
    "num_predictions": "hypotheses",
    "num_unique_objects": "objects",
    "num_frames": "frames",
}
COUNTS = {name for metric, name in CLEAR.items() if metric.startswith("num") or "most" in metric or "partially" in metric}


class Tracks:
    def __init__(self):
        self.rows = []

    def add(self, frame, id, box, label=0):
        self.rows.append((int(frame), int(id), list(map(float, box)), int(label)))

    def of(self, frame):
        return [row for row in self.rows if row[0] == frame]


def scene(random, frames, objects, digits=2, missed=0.1, hidden=0.05, switched=0.03, false=0.5, jitter=0.06, labels=1, shuffle=False):
    """Things that walk about, are hidden for a while and come back, and a tracker that sees most of them."""
    drawn, found = Tracks(), Tracks()
    names = iter(random.permutation(np.arange(100, 20100)))
    for id in range(objects):
        first, last = sorted(random.integers(0, frames, 2))
        centre, speed = random.uniform(50, 350, 2), random.normal(0, 4, 2)
        size = random.uniform(25, 70, 2)
        label, track, unseen, sleeping = int(random.integers(labels)), int(next(names)), 0, False
        for frame in range(first, last + 1):
            centre = centre + speed + random.normal(0, 1, 2)
            # Some leave the picture and come back under the id that they had.
            sleeping = (random.random() < 0.6) if sleeping else (random.random() < hidden / 2)
            if sleeping:
                continue
            box = np.round(np.concatenate([centre - size / 2, size]), digits)
            drawn.add(frame, id + 1, box, label)
            unseen = unseen - 1 if unseen > 0 else int(random.integers(1, 6)) if random.random() < hidden else 0
            if random.random() < switched:
                track = int(next(names))
            if unseen == 0 and random.random() > missed:
                moved = box + random.normal(0, jitter, 4) * np.tile(size, 2)
                said = label if random.random() < 0.97 else int(random.integers(labels))
                found.add(frame, track, np.round(moved, digits), said)
    tracks = sorted({row[1] for row in found.rows})
    # Two tracks go on as one another, as when a tracker confuses people who meet.
    for _ in range(objects // 3):
        if len(tracks) < 2:
            break
        one, other = random.choice(tracks, 2, replace=False)
        when = random.integers(frames)
        other_way = {one: other, other: one}
        found.rows = [(f, int(other_way.get(t, t)) if f >= when else t, b, l) for f, t, b, l in found.rows]
    for frame in range(frames):
        for _ in range(random.poisson(false)):
            box = np.concatenate([random.uniform(0, 350, 2), random.uniform(25, 70, 2)])
            found.add(frame, next(names), np.round(box, digits), int(random.integers(labels)))
    if shuffle:
        random.shuffle(drawn.rows)
        random.shuffle(found.rows)
    return drawn, found


def walk(tracks, id, frames, x, y=0):
    for frame in frames:
        tracks.add(frame, id, (x, y, 10, 10))


def cases():
    random = np.random.default_rng(43)

    def of(*walks):
        drawn, found = Tracks(), Tracks()
        for drawn_or_found, *walked in walks:
            walk(drawn if drawn_or_found == "drawn" else found, *walked)
        return drawn, found

    yield "perfect", [of(("drawn", 1, range(5), 0), ("drawn", 2, range(3), 50), ("found", 9, range(5), 0), ("found", 4, range(3), 50))]
    yield "nothing found", [of(("drawn", 1, range(5), 0))]
    yield "nothing drawn", [of(("found", 1, range(5), 0))]
    yield "elsewhere", [of(("drawn", 1, range(5), 0), ("found", 1, range(5), 100))]
    yield "one switch", [of(("drawn", 1, range(10), 0), ("found", 1, range(6), 0), ("found", 2, range(6, 10), 0))]
    yield "there and back", [
        of(("drawn", 1, range(10), 0), ("found", 1, [0, 1, 2, 7, 8], 0), ("found", 2, [3, 4, 5, 6, 9], 0))
    ]
    yield "gaps", [of(("drawn", 1, range(12), 0), ("found", 1, [2, 3, 5, 8, 9], 0))]
    yield "truth away and back", [of(("drawn", 1, [0, 1, 2, 6, 7], 0), ("found", 1, [0, 1], 0), ("found", 2, [6, 7], 0))]
    # The second object takes over the track of the first, and then both want it.
    yield "one track for two objects", [
        of(("drawn", 1, [0, 1, 4, 5], 0), ("drawn", 2, [2, 3, 4, 5], 2), ("found", 7, range(6), 1), ("found", 8, [5], 2))
    ]
    # 80 % and 20 % exactly.
    yield "shares at the borders", [
        of(
            *(("drawn", id, range(10), 20 * id) for id in range(5)),
            *(("found", id, range(found), 20 * id) for id, found in enumerate((8, 7, 2, 1, 10))),
        )
    ]
    # Overlaps of exactly 0.5 (5 of 10 rows are common, of 10 in all), just above and below.
    drawn, found = Tracks(), Tracks()
    for frame, height in enumerate((5, 5.01, 4.99, 10, 2, 0.5, 6, 8)):
        drawn.add(frame, 1, (0, 0, 10, 10))
        found.add(frame, 1, (0, 0, 10, height))
    yield "overlaps at the thresholds", [(drawn, found)]
    # Boxes of whole pixels in a row: many pairs agree equally well.
    drawn, found = Tracks(), Tracks()
    for frame in range(12):
        for id in range(4):
            drawn.add(frame, id, (4 * id + frame % 3, 0, 12, 10))
            if (frame + id) % 5:
                found.add(frame, (id + frame // 4) % 4 + 10, (4 * id + 2, 0, 12, 10))
    yield "equal overlaps", [(drawn, found)]
    drawn, found = Tracks(), Tracks()
    for frame in range(6):
        drawn.add(frame, 1, (0, 0, 10, 10), 0)
        drawn.add(frame, 2, (3, 0, 10, 10), 1)
        found.add(frame, 1, (1, 0, 10, 10), frame % 2)
        found.add(frame, 2, (2, 0, 10, 10), 1)
    yield "labels tell boxes apart", [(drawn, found)]
    drawn, found = Tracks(), Tracks()
    for frame in range(4):
        drawn.add(frame, 1, (0, 0, 10, 0))
        drawn.add(frame, 2, (0, 0, 10, 10))
        found.add(frame, 1, (0, 0, 0, 0))
        found.add(frame, 2, (0, 0, 10, 9))
    yield "boxes without area", [(drawn, found)]
    yield "street", [scene(random, 40, 12)]
    yield "rows in any order", [scene(random, 25, 8, shuffle=True)]
    yield "poor tracker", [scene(random, 30, 10, missed=0.4, hidden=0.2, switched=0.2, false=3, jitter=0.2)]
    yield "careful tracker", [scene(random, 30, 10, missed=0.5, hidden=0.1, switched=0, false=0, jitter=0.02)]
    yield "crowd of whole pixels", [scene(random, 15, 30, digits=0, jitter=0.1)]
    yield "three labels", [scene(random, 25, 12, labels=3, jitter=0.1)]
    yield "several sequences", [
        scene(random, 20, 6),
        of(("drawn", 1, range(5), 0), ("found", 1, range(5), 0)),
        scene(random, 15, 8, missed=0.3, switched=0.1, false=1),
        of(("drawn", 1, range(4), 0), ("found", 1, [2], 3)),
    ]


def clear(drawn, found):
    accumulator = motmetrics.MOTAccumulator()
    for frame in sorted({row[0] for row in drawn.rows + found.rows}):
        truths, answers = drawn.of(frame), found.of(frame)
        distances = np.empty((len(truths), len(answers)))
        if truths and answers:
            distances = 1 - boxiou(boxes(truths)[:, None], boxes(answers)[None, :])
            distances[(distances > DISTANCE_MAX) | ~same_label(truths, answers)] = np.nan
        accumulator.update([row[1] for row in truths], [row[1] for row in answers], distances, frame)
    return accumulator


def hota_data(drawn, found):
    def numbered(tracks):
        return {id: number for number, id in enumerate(sorted({row[1] for row in tracks.rows}))}

    objects, tracks = numbered(drawn), numbered(found)
    data = {
        "num_gt_dets": len(drawn.rows),
        "num_tracker_dets": len(found.rows),
        "num_gt_ids": len(objects),
        "num_tracker_ids": len(tracks),
        "gt_ids": [],
        "tracker_ids": [],
        "similarity_scores": [],
    }
    for frame in sorted({row[0] for row in drawn.rows + found.rows}):
        truths, answers = drawn.of(frame), found.of(frame)
        data["gt_ids"].append(np.array([objects[row[1]] for row in truths], dtype=int))
        data["tracker_ids"].append(np.array([tracks[row[1]] for row in answers], dtype=int))
        similarity = np.zeros((len(truths), len(answers)))
        if truths and answers:
            similarity = _BaseDataset._calculate_box_ious(boxes(truths), boxes(answers), "xywh")
            similarity[~same_label(truths, answers)] = 0
        data["similarity_scores"].append(similarity)
    return data


def boxes(rows):
    return np.array([row[2] for row in rows])


def same_label(truths, answers):
    return np.equal.outer([row[3] for row in truths], [row[3] for row in answers])


def figures(summary, hota):
    answer = {}
    for metric, name in CLEAR.items():
        value = float(summary[metric])
        answer[name] = int(value) if name in COUNTS else value if math.isfinite(value) else None
    # TrackEval answers numbers where there is nothing to measure.
    answer |= {name.lower(): float(hota[name].mean()) for name in ("HOTA", "DetA", "AssA", "LocA")}
    if hota["HOTA_TP"][0] == 0:
        answer["loca"] = None
    return answer


def expected(sequences):
    accumulators = [clear(*sequence) for sequence in sequences]
    metrics = motmetrics.metrics.create()
    names = [str(number) for number in range(len(sequences))]
    summary = metrics.compute_many(accumulators, metrics=list(CLEAR), names=names, generate_overall=True)
    trackeval = HOTA()
    hotas = {name: trackeval.eval_sequence(hota_data(*sequence)) for name, sequence in zip(names, sequences)}
    return {
        "overall": figures(summary.loc["OVERALL"], trackeval.combine_sequences(hotas)),
        "sequences": [figures(summary.loc[name], hotas[name]) for name in names],
    }


def written(name, sequences):
    def columns(tracks):
        return {
            "frames": [row[0] for row in tracks.rows],
            "ids": [row[1] for row in tracks.rows],
            "boxes": [row[2] for row in tracks.rows],
            "labels": [row[3] for row in tracks.rows],
        }

    both = [{"truths": columns(drawn), "hypotheses": columns(found)} for drawn, found in sequences]
    return {"name": name, "sequences": both, "expected": expected(sequences)}


def main():
    lines = ",\n".join(json.dumps(written(*case), separators=(",", ":")) for case in cases())
    pathlib.Path(__file__).with_name("tracking.json").write_text(f'{{"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
