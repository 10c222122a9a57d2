"""The same as score.py with polars.

    python score_polars.py --db FILE --model FILE.onnx

A window of polars also holds later rows of the same time, so transactions of a customer in the same second come out
differently.
"""

import itertools
import os

import polars as pl

import stages

# polars' names of the windows, with and without the week after which a fraud is known.
WINDOWS = {"1d": "8d", "7d": "14d", "30d": "37d"}
DELAY = "7d"

PAYLOAD = {"customer_id": pl.String, "terminal_id": pl.String, "amount": pl.Float64}


def read(database):
    """Transactions in the order of their times, and when which of them was known to be fraud."""
    uri = f"sqlite://{os.path.abspath(database)}"
    records = pl.read_database_uri(stages.RECORDS, uri, partition_on="id", partition_num=os.cpu_count())
    lines = records["payload"].str.join("\n").item()
    payloads = pl.read_ndjson(lines.encode(), schema=PAYLOAD)
    frauds = pl.read_database_uri(stages.FRAUDS, uri)
    when = pl.from_epoch("event_time", "us").alias("when")
    transactions = records.drop("payload").hstack(payloads).with_columns(when)
    return transactions.sort("when", "id"), frauds


def own_columns():
    """Amount, whether it was a weekend, whether it was night."""
    when = pl.col("when").dt
    return [pl.col("amount"), when.weekday() > 5, when.hour() < 7]


def customer_columns():
    """Number and mean amount of the customer's transactions in each window, this one included."""
    for window in WINDOWS:
        yield pl.col("one").rolling_sum_by("when", window).over("customer")
        yield pl.col("amount").rolling_mean_by("when", window).over("customer")


def terminal_columns():
    """Number and share of known frauds of the terminal's transactions in each window that ended a week ago."""
    for window, delayed in WINDOWS.items():
        count = pl.col(f"until_{delayed}") - pl.col(f"until_{DELAY}")
        yield count
        yield (pl.col("begun") - pl.col(f"ended_{window}")) / count.clip(1)


def with_terminal_counts(transactions):
    """Adds how many transactions the terminal has in each of the windows that end now."""
    windows = [DELAY, *WINDOWS.values()]
    counts = [pl.col("one").rolling_sum_by("when", window).over("terminal") for window in windows]
    return transactions.with_columns(count.alias(f"until_{window}") for count, window in zip(counts, windows))


def with_known_frauds(transactions, frauds):
    """Adds how many frauds of the terminal have begun to count at each time, and how many have ceased to."""
    frauds = frauds.join(transactions.select("id", "terminal", "when"), left_on="record_id", right_on="id")
    # A fraud counts from when it is both known and old enough, until it is too old or no longer taken for one.
    old_enough = pl.col("when").dt.offset_by(DELAY)
    begins = pl.max_horizontal(pl.from_epoch("known_at", "us"), old_enough)
    moments = {"begun": begins}
    for window, delayed in WINDOWS.items():
        too_old = pl.min_horizontal(pl.from_epoch("until", "us"), pl.col("when").dt.offset_by(delayed))
        moments[f"ended_{window}"] = pl.max_horizontal(begins, too_old)
    for name, moment in moments.items():
        events = frauds.select("terminal", moment.alias("when")).sort("when")
        events = events.with_columns(pl.int_range(1, pl.len() + 1).over("terminal").alias(name))
        transactions = transactions.join_asof(events, on="when", by="terminal", check_sortedness=False)
        transactions = transactions.with_columns(pl.col(name).fill_null(0))
    return transactions


def features(read):
    """Record ids and the inputs of the network."""
    transactions, frauds = read
    codes = [pl.col(f"{key}_id").cast(pl.Categorical).to_physical().alias(key) for key in ["customer", "terminal"]]
    transactions = with_terminal_counts(transactions.with_columns(*codes, one=pl.lit(1.0)))
    transactions = with_known_frauds(transactions, frauds)
    columns = itertools.chain(own_columns(), customer_columns(), terminal_columns())
    named = [column.cast(pl.Float32).alias(str(place)) for place, column in enumerate(columns)]
    found = transactions.select("id", *named).sort("id")
    return found["id"].to_numpy(), found.drop("id").to_numpy(order="c")


if __name__ == "__main__":
    # More than one would wait for polars' own threads, which go on looking for work.
    stages.run("Score the transactions of a database with polars.", read, features, threads=1)
