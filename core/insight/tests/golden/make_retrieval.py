"""Writes retrieval.json: what trec_eval answers for the ranked lists that the tests use, and NumPy for the catalogue.

Hit rate, precision, recall, NDCG, MAP and MRR of each row are those of trec_eval, through pytrec_eval-terrier. What no
library of the field is the measure of (coverage, Gini, popularity, novelty, diversity) is written down here with NumPy,
from the definition: every pair of items, and no sorting.

Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_retrieval.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import itertools
import json
import pathlib

import numpy as np
import pytrec_eval

CUTOFFS = (1, 3, 5, 10, 40)


def cases():
    random = np.random.default_rng(31)

    def lists(rows, items, longest, skew):
        # Great `skew`: the same few items in all lists.
        weight = 1.0 / (1.0 + np.arange(items)) ** skew
        return [
            random.choice(items, random.integers(0, longest + 1), replace=False, p=weight / weight.sum()).tolist()
            for _ in range(rows)
        ]

    def targets(rows, items, most, least=1):
        return [random.choice(items, random.integers(least, most + 1), replace=False).tolist() for _ in range(rows)]

    yield "found first", 3, [[2, 0, 1]], [[2]]
    yield "found last", 12, [list(range(12))], [[9]]
    yield "behind the fifth", 12, [list(range(12))], [[5]]
    yield "not in the list", 4, [[0, 1, 2]], [[3]]
    yield "empty list", 4, [[]], [[3]]
    yield "all empty", 4, [[], []], [[3], [1, 2]]
    yield "no target", 4, [[0, 1], [2]], [[], []]
    yield "some without target", 4, [[0, 1], [2], [3, 0]], [[1], [], [2]]
    yield "best list of several", 30, [list(range(20))], [list(range(8))]
    yield "worst list of several", 30, [list(range(20))], [list(range(12, 20))]
    yield "more targets than places", 60, [list(range(10))], [list(range(60))]
    yield "every other place", 40, [list(range(40))], [list(range(0, 40, 2))]
    yield "one item", 1, [[0], [], [0]], [[0], [0], [0]]
    yield "one for each row", 200, lists(80, 200, 20, 0.7), targets(80, 200, 1)
    yield "one or none for each row", 30, lists(120, 30, 12, 1.0), targets(120, 30, 1, least=0)
    yield "several for each row", 50, lists(60, 50, 45, 0.5), targets(60, 50, 15)
    yield "all alike", 100, [list(range(10))] * 25, targets(25, 100, 3)
    turned = [np.roll(np.arange(40), turn)[:10].tolist() for turn in range(0, 40, 5)]
    yield "evenly shown", 40, turned, targets(8, 40, 2)


def accuracy(lists, targets):
    """The mean of each metric over the rows that have a target, for each cutoff."""
    qrel = {str(row): {str(item): 1 for item in wanted} for row, wanted in enumerate(targets) if wanted}
    if not qrel:
        return [dict.fromkeys(("hit_rate", "precision", "recall", "ndcg", "map", "mrr")) for _ in CUTOFFS]
    names = {"hit_rate": "success", "precision": "P", "recall": "recall", "ndcg": "ndcg_cut", "map": "map_cut"}
    numbers = ",".join(map(str, CUTOFFS))
    at_cutoffs = pytrec_eval.RelevanceEvaluator(qrel, {f"{name}.{numbers}" for name in names.values()})
    reciprocal = pytrec_eval.RelevanceEvaluator(qrel, {"recip_rank"})

    def run(longest):
        # Whole numbers as scores: trec_eval sorts by them, and no two are alike.
        return {row: {str(item): float(-rank) for rank, item in enumerate(lists[int(row)][:longest])} for row in qrel}

    found = at_cutoffs.evaluate(run(None))
    answers = []
    for k in CUTOFFS:
        # recip_rank has no cutoff of its own: the run is cut.
        first = reciprocal.evaluate(run(k))
        answer = {name: mean(found[row][f"{measure}_{k}"] for row in qrel) for name, measure in names.items()}
        answers.append(answer | {"mrr": mean(first[row]["recip_rank"] for row in qrel)})
    return answers


def catalogue(lists, popularity, population, categories, k):
    shown = [item for items in lists for item in items[:k]]
    exposure = np.bincount(np.array(shown, dtype=int), minlength=len(popularity))
    gini = np.abs(np.subtract.outer(exposure, exposure)).mean() / (2 * exposure.mean()) if shown else None
    known = [item for item in shown if popularity[item] > 0]
    shares = []
    for items in lists:
        of_items = [categories[item] for item in items[:k] if categories[item] is not None]
        pairs = list(itertools.combinations(of_items, 2))
        if pairs:
            shares.append(np.mean([one != other for one, other in pairs]))
    return {
        "coverage": float(np.mean(exposure > 0)),
        "gini": None if gini is None else float(gini),
        "popularity": mean(popularity[shown]) if shown else None,
        "novelty": mean(-np.log2(popularity[known] / population)) if known else None,
        "unseen": len(shown) - len(known),
        "diversity": mean(shares) if shares else None,
    }


def mean(values):
    return float(np.mean(list(values)))


def flat(lists):
    return {"values": list(itertools.chain(*lists)), "offsets": [0, *np.cumsum([len(row) for row in lists]).tolist()]}


def main():
    random = np.random.default_rng(37)
    written = []
    for name, items, lists, targets in cases():
        lists, targets = [list(map(int, row)) for row in lists], [list(map(int, row)) for row in targets]
        popularity = random.geometric(0.05, items) - 1
        population = int(popularity.max()) + int(random.integers(1, 50))
        categories = [None if number == 4 else int(number) * 1000 for number in random.integers(0, 5, items)]
        found = accuracy(lists, targets)
        shown = [catalogue(lists, popularity, population, categories, k) for k in CUTOFFS]
        written.append(
            {
                "name": name,
                "lists": flat(lists),
                "targets": flat(targets),
                "popularity": popularity.tolist(),
                "population": population,
                "categories": categories,
                "expected": [{"k": k} | figures for k, figures in zip(CUTOFFS, map(lambda a, b: a | b, found, shown))],
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
    pathlib.Path(__file__).with_name("retrieval.json").write_text(f'{{"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
