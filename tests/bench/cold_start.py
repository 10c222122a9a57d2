"""Stores, scores and prints one card transaction from standard input, as `foretell-fraud score -` does.

    echo '{"transaction_id":"t1", ...}' | python cold_start.py --db FILE --model FILE.onnx

Nothing is imported but what it takes: onnxruntime, numpy, and the standard library.
"""

import argparse
import datetime
import json
import sqlite3
import sys
import time

import numpy as np
import onnxruntime

DAY = 86_400_000_000
WINDOWS = [1 * DAY, 7 * DAY, 30 * DAY]
DELAY = 7 * DAY
THRESHOLD = 0.2712
KEYS = ["customer_id", "terminal_id"]

CUSTOMER = """
    SELECT past.event_time, record.payload ->> 'amount'
    FROM record_key AS past JOIN record ON record.id = past.record_id
    WHERE past.entity_id = ?1 AND past.event_time > ?2 AND (past.event_time, past.record_id) < (?3, ?4)
"""
TERMINAL = """
    SELECT event_time,
           coalesce((SELECT value FROM label
                     WHERE label.record_id = past.record_id AND name = 'fraud' AND known_at <= ?4
                     ORDER BY known_at DESC, id DESC LIMIT 1), 0)
    FROM record_key AS past
    WHERE entity_id = ?1 AND event_time > ?2 AND event_time <= ?3
"""


def store(connection, transaction):
    """Keeps the transaction on disk; returns its id, its time, and its customer and terminal."""
    when = datetime.datetime.fromisoformat(transaction["event_time"])
    moment = int(when.timestamp()) * 1_000_000 + when.microsecond
    payload = json.dumps({name: transaction[name] for name in [*KEYS, "amount"]}, separators=(",", ":"))
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    now = time.time_ns() // 1000
    source = "INSERT INTO source (domain, kind, name, started_at) VALUES ('fraud', 'live', 'script', ?)"
    record = """
        INSERT INTO record (domain, external_id, event_time, payload, source_id, received_at)
        VALUES ('fraud', ?, ?, ?, ?, ?)
    """
    source_id = connection.execute(source, [now]).lastrowid
    values = [transaction["transaction_id"], moment, payload, source_id, now]
    record_id = connection.execute(record, values).lastrowid
    entities = []
    for name in KEYS:
        key = [name, transaction[name]]
        connection.execute("INSERT OR IGNORE INTO entity (domain, name, value) VALUES ('fraud', ?, ?)", key)
        found = "SELECT id FROM entity WHERE domain = 'fraud' AND name = ? AND value = ?"
        entities += connection.execute(found, key).fetchone()
        connection.execute("INSERT INTO record_key VALUES (?, ?, ?)", [entities[-1], moment, record_id])
    connection.execute("COMMIT")
    return record_id, moment, entities


def features(connection, record_id, moment, entities, amount):
    """The inputs of the network, in one row."""
    customer, terminal = entities
    rows = connection.execute(CUSTOMER, [customer, moment - WINDOWS[-1], moment, record_id]).fetchall()
    customer_times, amounts = np.array(rows + [(moment, amount)], np.float64).T
    rows = connection.execute(TERMINAL, [terminal, moment - DELAY - WINDOWS[-1], moment - DELAY, moment]).fetchall()
    terminal_times, frauds = np.array(rows, np.float64).reshape(-1, 2).T
    row = [amount, moment // DAY % 7 in (2, 3), moment % DAY < DAY * 7 // 24]
    for window in WINDOWS:
        inside = customer_times > moment - window
        row += [inside.sum(), amounts[inside].mean()]
    for window in WINDOWS:
        inside = terminal_times > moment - DELAY - window
        row += [inside.sum(), frauds[inside].sum() / max(inside.sum(), 1)]
    return np.array([row], np.float32)


def main():
    parser = argparse.ArgumentParser(description="Score one transaction.")
    parser.add_argument("--db", required=True, help="a database of foretell")
    parser.add_argument("--model", required=True, help="the network, an ONNX file")
    arguments = parser.parse_args()
    transaction = json.load(sys.stdin)
    connection = sqlite3.connect(arguments.db, isolation_level=None)
    record_id, moment, entities = store(connection, transaction)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    inputs = features(connection, record_id, moment, entities, transaction["amount"])
    score = float(session.run(None, {"features": inputs})[0][0])
    label = "fraud" if score >= THRESHOLD else "genuine"
    connection.execute("CREATE TABLE IF NOT EXISTS script_prediction (record_id INTEGER PRIMARY KEY, score, label)")
    connection.execute("INSERT INTO script_prediction VALUES (?, ?, ?)", [record_id, score, label])
    connection.close()
    print(json.dumps({"transaction": transaction["transaction_id"], "score": score, "label": label}))


if __name__ == "__main__":
    main()
