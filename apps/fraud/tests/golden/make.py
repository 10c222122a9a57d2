"""Finds the thresholds and leaves of src/baseline.rs, and what the tree scores on the published protocol.

It needs the handbook's transactions and features as Parquet files, which are not part of this repository. Run it in an
environment outside the repository:

    python3 -m venv "$HOME/golden" && "$HOME/golden/bin/pip" install -r requirements.txt
    "$HOME/golden/bin/python" make.py DATA

DATA holds transactions.parquet (transaction_id, tx_time_seconds since 2018-04-01, customer_id, amount_cents,
fraud_scenario) and features_ref_d115_135.parquet (the published features of 25 July to 14 August 2018).
"""

import pathlib
import sys

import pandas as pd
from sklearn.tree import DecisionTreeClassifier

START = 115  # 2018-07-25, in days since 2018-04-01
CARDS = 100


def load(folder):
    rows = pd.read_parquet(folder / "transactions.parquet")
    rows = rows.merge(pd.read_parquet(folder / "features_ref_d115_135.parquet"), on="transaction_id")
    rows["amount"] = rows.amount_cents / 100
    rows["day"] = rows.tx_time_seconds // 86400
    rows["fraud"] = (rows.fraud_scenario > 0).astype(int)
    return rows


def split(rows):
    train = rows[rows.day.between(START, START + 6)]
    known = set(train[train.fraud == 1].customer_id)
    test = []
    for day in range(START + 14, START + 21):
        known |= set(rows[(rows.day == day - 8) & (rows.fraud == 1)].customer_id)
        test.append(rows[(rows.day == day) & ~rows.customer_id.isin(known)])
    return train, pd.concat(test)


def card_precision(test, stable, removal):
    detected, precisions = set(), []
    for _, today in test.groupby("day"):
        cards = today[~today.customer_id.isin(detected)].groupby("customer_id")[["score", "fraud"]].max()
        kind = "stable" if stable else "quicksort"
        top = cards.sort_values("score", ascending=False, kind=kind).head(CARDS)
        precisions.append(float(top.fraud.sum() / CARDS))
        if removal:
            detected |= set(top[top.fraud == 1].index)
    return precisions, sum(precisions) / len(precisions)


def main():
    train, test = split(load(pathlib.Path(sys.argv[1])))
    print("train", len(train), train.fraud.sum(), "test", len(test), test.fraud.sum())
    published = ("tx_during", "customer_id_", "terminal_id_")
    inputs = ["amount", *(name for name in test.columns if name.startswith(published))]
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(train[inputs], train.fraud)
    leaves = train.assign(leaf=tree.apply(train[inputs])).groupby("leaf").fraud.agg(["sum", "count"])
    for node, (feature, threshold) in enumerate(zip(tree.tree_.feature, tree.tree_.threshold)):
        if feature < 0:
            frauds, rows = leaves.loc[node]
            print(f"node {node}: leaf {frauds} / {rows}")
        else:
            children = tree.tree_.children_left[node], tree.tree_.children_right[node]
            print(f"node {node}: {inputs[feature]} <= {threshold!r} ? {children[0]} : {children[1]}")
    test = test.assign(score=tree.predict_proba(test[inputs])[:, 1])
    for removal in (True, False):
        for stable in (True, False):
            order = "ties by customer" if stable else "ties as the unstable sort leaves them"
            print("detected removed" if removal else "detected kept", order, card_precision(test, stable, removal))


if __name__ == "__main__":
    main()
