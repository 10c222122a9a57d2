"""Scores the card transactions of a foretell database with pandas, NumPy, onnxruntime and sqlite3.

    python score.py --db FILE --model FILE.onnx
"""

import itertools

import adbc_driver_sqlite.dbapi
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.json

import stages

HOUR = 3_600_000_000
DAY = 24 * HOUR
WINDOWS = [1 * DAY, 7 * DAY, 30 * DAY]
# A terminal's transactions count when they are this old.
DELAY = 7 * DAY
FEATURES = 15

PAYLOAD = pa.schema({"customer_id": pa.string(), "terminal_id": pa.string(), "amount": pa.float64()})


def read(database):
    """Transactions in the order of their ids, and when which of them was known to be fraud."""
    # An ADBC driver hands Arrow columns over, where sqlite3 makes an object of each value.
    with adbc_driver_sqlite.dbapi.connect(database) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
        cursor.execute(stages.RECORDS)
        records = cursor.fetch_arrow_table()
        cursor.execute(stages.FRAUDS)
        frauds = cursor.fetch_arrow_table().to_pandas()
    payloads = records["payload"].combine_chunks()
    lines = pa.compute.binary_join(pa.ListArray.from_arrays([0, len(payloads)], payloads), "\n")[0]
    options = pa.json.ParseOptions(explicit_schema=PAYLOAD)
    transactions = pa.json.read_json(pa.BufferReader(lines.as_buffer()), parse_options=options).to_pandas()
    transactions["id"] = records["id"].to_numpy()
    transactions["time"] = records["event_time"].to_numpy()
    return transactions, frauds


class Past:
    """The rows of a column's values, each in time order, so that a window is two binary searches.

    Rows of the same value and time keep the order of the frame, which is that of the ids.
    """

    def __init__(self, values, times):
        self.codes = pd.factorize(values)[0].astype(np.int64)
        # Windows do not reach from one value into the next.
        self.first = times.min() - DELAY - WINDOWS[-1]
        self.stride = times.max() + 1 - self.first + 1
        keys = self.keys(self.codes, times)
        self.order = np.argsort(keys, kind="stable")
        self.sorted = keys[self.order]

    def keys(self, codes, times):
        return codes * self.stride + np.clip(times - self.first, 0, self.stride - 1)

    def until(self, age):
        """For each sorted row, how many sorted rows are at least so much older."""
        return np.searchsorted(self.sorted, self.sorted - age, side="right")

    def unsorted(self, values):
        column = np.empty(len(values), np.float32)
        column[self.order] = values
        return column


def customer_columns(transactions):
    """Number and mean amount of the customer's transactions in each window, this one included."""
    past = Past(transactions["customer_id"], transactions["time"].to_numpy())
    sums = np.concatenate([[0], transactions["amount"].to_numpy()[past.order].cumsum()])
    end = np.arange(1, len(transactions) + 1)
    for window in WINDOWS:
        begin = past.until(window)
        yield past.unsorted(end - begin)
        yield past.unsorted((sums[end] - sums[begin]) / (end - begin))


def terminal_columns(transactions, frauds):
    """Number and share of known frauds of the terminal's transactions in each window that ended a week ago."""
    times = transactions["time"].to_numpy()
    past = Past(transactions["terminal_id"], times)
    at = np.searchsorted(transactions["id"].to_numpy(), frauds["record_id"].to_numpy())
    codes, happened = past.codes[at], times[at]
    # A fraud counts from when it is both known and old enough, until it is too old or no longer taken for one.
    begins = np.maximum(frauds["known_at"].to_numpy(), happened + DELAY)
    begun = known(past, codes, begins)
    end = past.until(DELAY)
    for window in WINDOWS:
        count = end - past.until(DELAY + window)
        ends = np.maximum(begins, np.minimum(frauds["until"].to_numpy(), happened + DELAY + window))
        risk = (begun - known(past, codes, ends)) / np.maximum(count, 1)
        yield past.unsorted(count)
        yield past.unsorted(risk)


def known(past, codes, times):
    """For each sorted row, how many of these events have happened, and how many of all smaller codes."""
    return np.searchsorted(np.sort(past.keys(codes, times)), past.sorted, side="right")


def own_columns(transactions):
    """Amount, whether it was a weekend, whether it was night."""
    times = transactions["time"].to_numpy()
    yield transactions["amount"]
    # 1970-01-01 was a Thursday: days 2 and 3 of its week are the weekend.
    yield np.isin(times // DAY % 7, (2, 3))
    yield times % DAY < 7 * HOUR


def matrix(rows, columns):
    """Columns side by side, as the network takes them."""
    inputs = np.empty((rows, FEATURES), np.float32)
    for place, column in enumerate(itertools.chain(*columns)):
        inputs[:, place] = column
    return inputs


def features(read):
    """Record ids and the inputs of the network."""
    transactions, frauds = read
    columns = [own_columns(transactions), customer_columns(transactions), terminal_columns(transactions, frauds)]
    return transactions["id"].to_numpy(), matrix(len(transactions), columns)


if __name__ == "__main__":
    stages.run("Score the transactions of a database with pandas.", read, features, threads=0)
