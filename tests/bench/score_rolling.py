"""The same as score.py with the windows as pandas' documentation has them: groupby, rolling and merge_asof.

    python score_rolling.py --db FILE --model FILE.onnx
"""

import numpy as np
import pandas as pd

import score
import stages

WINDOWS = [pd.Timedelta(window, "us") for window in score.WINDOWS]
DELAY = pd.Timedelta(score.DELAY, "us")


class Grouped:
    """Transactions by key, time and id, which is how groupby and rolling return them."""

    def __init__(self, transactions, key):
        frame = transactions.sort_values([key, "when"], kind="stable")
        self.order = frame.index.to_numpy()
        self.amounts = frame.set_index("when").groupby(key)["amount"]

    def unsorted(self, values):
        column = np.empty(len(values))
        column[self.order] = values
        return column


def customer_columns(transactions):
    """Number and mean amount of the customer's transactions in each window, this one included."""
    past = Grouped(transactions, "customer")
    for window in WINDOWS:
        rolling = past.amounts.rolling(window)
        yield past.unsorted(rolling.count())
        yield past.unsorted(rolling.mean())


def terminal_columns(transactions, frauds):
    """Number and share of known frauds of the terminal's transactions in each window that ended a week ago."""
    past = Grouped(transactions, "terminal")
    recent = past.amounts.rolling(DELAY).count()
    frauds = frauds.merge(transactions[["id", "terminal", "when"]], left_on="record_id", right_on="id")
    # A fraud counts from when it is both known and old enough, until it is too old or no longer taken for one.
    begins = np.maximum(pd.to_datetime(frauds["known_at"], unit="us"), frauds["when"] + DELAY)
    overruled = pd.to_datetime(frauds["until"], unit="us")
    begun = known(transactions, frauds["terminal"], begins)
    for window in WINDOWS:
        count = past.unsorted(past.amounts.rolling(DELAY + window).count() - recent)
        ends = np.maximum(begins, np.minimum(overruled, frauds["when"] + DELAY + window))
        yield count
        yield (begun - known(transactions, frauds["terminal"], ends)) / np.maximum(count, 1)


def known(transactions, terminals, times):
    """For each transaction, how many of these events have happened at its terminal."""
    events = pd.DataFrame({"terminal": terminals, "when": times}).sort_values("when")
    events["happened"] = events.groupby("terminal").cumcount() + 1
    ordered = transactions[["terminal", "when"]].sort_values("when", kind="stable")
    column = np.empty(len(transactions))
    column[ordered.index] = pd.merge_asof(ordered, events, on="when", by="terminal")["happened"].fillna(0)
    return column


def features(read):
    """Record ids and the inputs of the network."""
    transactions, frauds = read
    transactions["when"] = pd.to_datetime(transactions["time"], unit="us")
    for key in ["customer", "terminal"]:
        transactions[key] = pd.factorize(transactions[f"{key}_id"])[0]
    columns = [score.own_columns(transactions), customer_columns(transactions), terminal_columns(transactions, frauds)]
    return transactions["id"].to_numpy(), score.matrix(len(transactions), columns)


if __name__ == "__main__":
    stages.run("Score the transactions of a database with pandas' rolling windows.", score.read, features, threads=0)
