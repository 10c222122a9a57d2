"""The 15 inputs of the fraud models, computed from the raw transactions.

    python features.py --data DIR

computes them for all rows and compares them with the published columns, where DIR holds
transactions.parquet and features_ref_d115_135.parquet (directly, or in a subdirectory `handbook`).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

DAY = 86_400
WINDOWS = (1, 7, 30)
# A fraud on a terminal is known seven days after it happened, not earlier.
LABEL_DELAY = 7

NAMES = (
    ["tx_amount", "tx_during_weekend", "tx_during_night"]
    + [f"customer_id_{kind}_{w}day_window" for w in WINDOWS for kind in ("nb_tx", "avg_amount")]
    + [f"terminal_id_{kind}_{w}day_window" for w in WINDOWS for kind in ("nb_tx", "risk")]
)


@dataclass
class Transactions:
    """All rows in time order; `scenario` is 0 for genuine rows, 1 to 3 for the simulated frauds."""

    identifier: np.ndarray
    seconds: np.ndarray
    customer: np.ndarray
    terminal: np.ndarray
    cents: np.ndarray
    scenario: np.ndarray

    @property
    def fraud(self):
        return self.scenario > 0

    @property
    def day(self):
        return self.seconds // DAY


def data_file(directory, name):
    nested = Path(directory) / "handbook" / name
    return nested if nested.exists() else Path(directory) / name


def load_transactions(directory):
    table = pl.read_parquet(data_file(directory, "transactions.parquet"))
    columns = ["transaction_id", "tx_time_seconds", "customer_id", "terminal_id", "amount_cents"]
    wide = [table[name].to_numpy().astype(np.int64) for name in columns]
    return Transactions(*wide, scenario=table["fraud_scenario"].to_numpy())


class History:
    """Rows grouped by one entity and in time order within it, so that a window is a pair of binary searches."""

    # Larger than any time plus the longest look-back: windows never reach into the previous entity.
    STRIDE = 1 << 26

    def __init__(self, entity, seconds):
        keys = entity * self.STRIDE + seconds + self.STRIDE // 2
        # A stable sort keeps the file order of rows which share entity and second.
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def rows_until(self, seconds_before):
        """For each row: how many rows of the sorted sequence are at or before (its time - seconds_before)."""
        return np.searchsorted(self.keys, self.keys - seconds_before, side="right")

    def sums(self, values):
        return np.concatenate([[0], np.cumsum(values[self.order])])

    def in_file_order(self, values):
        result = np.empty_like(values)
        result[self.order] = values
        return result


def customer_windows(transactions):
    """Count and mean amount over (t - w days, t], the current row included and later rows of the same second not."""
    history = History(transactions.customer, transactions.seconds)
    cents = history.sums(transactions.cents)
    end = np.arange(1, len(history.keys) + 1)
    columns = []
    for window in WINDOWS:
        begin = history.rows_until(window * DAY)
        count = end - begin
        mean = (cents[end] - cents[begin]) / count / 100
        columns += [history.in_file_order(count), history.in_file_order(mean)]
    return columns


def terminal_windows(transactions):
    """Count and share of frauds over (t - (delay + w) days, t - delay days]; the share is 0 for an empty window."""
    history = History(transactions.terminal, transactions.seconds)
    frauds = history.sums(transactions.fraud.astype(np.int64))
    end = history.rows_until(LABEL_DELAY * DAY)
    columns = []
    for window in WINDOWS:
        begin = history.rows_until((LABEL_DELAY + window) * DAY)
        count = end - begin
        risk = (frauds[end] - frauds[begin]) / np.maximum(count, 1)
        columns += [history.in_file_order(count), history.in_file_order(risk)]
    return columns


def compute_features(transactions):
    """The matrix [rows, 15] in the order of NAMES, unnormalised, in double precision."""
    # Day 0 (2018-04-01) is a Sunday, day 6 a Saturday.
    weekend = np.isin(transactions.day % 7, (0, 6))
    night = transactions.seconds % DAY // 3600 <= 6
    own = [transactions.cents / 100, weekend, night]
    columns = own + customer_windows(transactions) + terminal_windows(transactions)
    return np.column_stack([column.astype(np.float64) for column in columns])


def compare_with_reference(transactions, features, directory):
    """Prints how many rows differ from the published columns; returns the rows that differ anywhere."""
    reference = pl.read_parquet(data_file(directory, "features_ref_d115_135.parquet"))
    rows = np.searchsorted(transactions.identifier, reference["transaction_id"].to_numpy())
    published = reference.select(NAMES[1:]).to_numpy().astype(np.float64)
    # The published means were accumulated in floating point, ours in whole cents.
    differs = ~np.isclose(features[rows, 1:], published, rtol=1e-6, atol=1e-6)
    groups = {"calendar": range(0, 2), "customer": range(2, 8), "terminal": range(8, 14)}
    print(f"{len(rows)} reference rows")
    for group, columns in groups.items():
        print(f"  {group:9} {differs[:, list(columns)].any(axis=1).sum()} rows differ")
    return rows[differs.any(axis=1)]


def main():
    parser = argparse.ArgumentParser(description="Check the 15 features against the published ones.")
    parser.add_argument("--data", required=True, type=Path)
    arguments = parser.parse_args()
    transactions = load_transactions(arguments.data)
    started = time.perf_counter()
    features = compute_features(transactions)
    print(f"{features.shape[0]} rows x {features.shape[1]} features in {time.perf_counter() - started:.2f} s")
    differing = compare_with_reference(transactions, features, arguments.data)
    pair = transactions.customer * History.STRIDE + transactions.seconds
    values, counts = np.unique(pair, return_counts=True)
    tied = np.isin(pair[differing], values[counts > 1])
    print(f"  of the {len(differing)} differing rows {tied.sum()} share customer and second with another row")
    if not tied.all():
        raise SystemExit("rows differ which are not ties: the features are not those of the protocol")


if __name__ == "__main__":
    main()
