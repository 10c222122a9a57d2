"""What the ways of scoring in Python share: command line, network, store, and what each stage took.

A way gives two functions: `read(database)` returns whatever it likes, and `features(read)` makes of it the record ids,
ascending, and the matrix [rows, 15] for the network, in single precision.
"""

import argparse
import gc
import json
import resource
import sqlite3
import sys
import time

import numpy as np
import onnxruntime

# What somebody without foretell would have written into the script.
THRESHOLD = 0.2712
RUN = 1

# Larger batches do not stay in the processor's caches: a million rows at once take ten times as long.
BATCH_ROWS = 4_096
# Rows of one INSERT: a third faster than one by one.
INSERT_ROWS = 500

# Through the whole table in its own order, because all of it is wanted: the plus sign hides the index by domain.
RECORDS = "SELECT id, event_time, payload FROM record WHERE +domain = 'fraud' ORDER BY id"
# From when until when a record was taken for fraud: later labels overrule earlier ones.
FRAUDS = """
    SELECT record_id, known_at, until
    FROM (SELECT record_id, value, known_at,
                 lead(known_at, 1, 9223372036854775807)
                     OVER (PARTITION BY record_id ORDER BY known_at, id) AS until
          FROM label
          WHERE name = 'fraud' AND record_id IN (SELECT record_id FROM label WHERE name = 'fraud' AND value = 1))
    WHERE value = 1
"""

TABLE = """
CREATE TABLE IF NOT EXISTS python_prediction (
    run_id    INTEGER NOT NULL REFERENCES run (id),
    record_id INTEGER NOT NULL REFERENCES record (id),
    score     REAL,
    label     TEXT,
    output    TEXT,
    PRIMARY KEY (run_id, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS python_prediction_record ON python_prediction (record_id);
"""


def predict(model, features, threads):
    """Probabilities of fraud, in single precision."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    scores = np.empty(len(features), np.float32)
    for start in range(0, len(features), BATCH_ROWS):
        batch = slice(start, start + BATCH_ROWS)
        scores[batch] = session.run(None, {"features": features[batch]})[0]
    return scores


def write(database, ids, scores):
    """Stores scores and decisions in one transaction, in a table like `prediction`."""
    labels = np.where(scores.astype(np.float64) >= THRESHOLD, "fraud", "genuine")
    columns = [ids.tolist(), scores.tolist(), labels.tolist()]
    values = [None] * (len(columns) * len(ids))
    for place, column in enumerate(columns):
        values[place :: len(columns)] = column
    step = INSERT_ROWS * len(columns)
    whole = len(values) // step * step

    def insert(rows):
        places = ",".join([f"({RUN},?,?,?)"] * rows)
        return f"INSERT INTO python_prediction (run_id, record_id, score, label) VALUES {places}"

    connection = sqlite3.connect(database, isolation_level=None)
    # As foretell opens it, but foreign keys are not checked, which is sqlite3's default: a third less to do.
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;")
    connection.executescript(TABLE)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(insert(INSERT_ROWS), (values[at : at + step] for at in range(0, whole, step)))
    if whole < len(values):
        connection.execute(insert((len(values) - whole) // len(columns)), values[whole:])
    connection.execute("COMMIT")
    connection.close()


def run(description, read, features, threads):
    """Scores a database, and prints one line of JSON: rows, seconds of each stage, most memory in use.

    The network gets so many threads; 0: as many as ONNX Runtime takes by itself.
    """
    arguments = command_line(description)
    # Millions of rows, and none of them in a cycle.
    gc.disable()
    seconds, begin = {}, time.perf_counter()

    def stage(name, work):
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        return result

    found = stage("read", lambda: read(arguments.db))
    ids, inputs = stage("features", lambda: features(found))
    scores = stage("predict", lambda: predict(arguments.model, inputs, threads))
    stage("write", lambda: write(arguments.db, ids, scores))
    total_seconds = time.perf_counter() - begin
    # For whoever wants to know whether others come to the same.
    score_sum = float(scores.sum(dtype=np.float64))
    note = {f"{name}_seconds": value for name, value in seconds.items()}
    # The system counts in KiB, except where it counts in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    note["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(json.dumps({"rows": len(ids), "seconds": total_seconds, "score_sum": score_sum} | note))


def command_line(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--db", required=True, help="a database of foretell; gets the table python_prediction")
    parser.add_argument("--model", required=True, help="the network, an ONNX file")
    return parser.parse_args()
