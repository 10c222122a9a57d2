"""Writes forecasts.json: the method of src/demand.rs, computed period by period with NumPy and SciPy.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python forecasts.py

Each case has records as [period, quantity], the period that is asked for, the half-life in periods, two levels, and the
mean, the low and the high quantile that are expected, or null where nothing was bought.
"""

import json
import pathlib

import numpy as np
from scipy import stats

WAIT = 12


def quantile(mean: float, variance: float, level: float) -> float:
    """The least count that is not exceeded with a probability of `level`."""
    if variance / mean <= 1 + 1e-6:
        return float(stats.poisson.ppf(level, mean))
    return float(stats.nbinom.ppf(level, mean**2 / (variance - mean), mean / variance))


def forecast(records: list, end: int, half_life: float, levels: list):
    """The forecast for period `end`, from a dense series of totals."""
    begin = records[0][0]
    totals = np.zeros(end - begin)
    for period, pieces in records:
        totals[period - begin] += pieces
    totals = np.maximum(totals, 0)
    if not totals.any():
        return None
    weights = 0.5 ** (np.arange(len(totals))[::-1] / half_life)
    waited = (len(totals) + WAIT) / (totals > 0).sum() - 1 if records[0][1] > 0 else 0
    # A geometric series continued to a number of terms that need not be whole.
    ratio = 0.5 ** (1 / half_life)
    all_weights = weights.sum() + ratio ** len(totals) * (1 - ratio**waited) / (1 - ratio)
    mean = (weights * totals).sum() / all_weights
    variance = (weights * totals**2).sum() / all_weights - mean**2
    return [mean, *(quantile(mean, max(variance, mean), level) for level in levels)]


def main() -> None:
    random = np.random.default_rng(20)
    cases = []
    for case in range(120):
        length = int(random.integers(1, 60))
        rate = random.choice([0.05, 0.3, 1, 8, 300])
        shape = random.choice([0.3, 2, 50])
        counts = random.negative_binomial(shape, shape / (shape + rate), length)
        begin = int(random.integers(-500, 500))
        records = [[begin + place, int(count)] for place, count in enumerate(counts) if count or random.random() < 0.3]
        if not records:
            records = [[begin, 0]]
        if case % 5 == 0:
            place = int(random.integers(len(records)))
            records.insert(place + 1, [records[place][0], -int(random.integers(1, 4))])
        end = records[-1][0] + 1 + int(random.integers(0, 6))
        half_life = float(random.choice([1.5, 5, 40]))
        levels = [[0.1, 0.9], [0.05, 0.5], [0.5, 0.99]][case % 3]
        cases.append(
            {"records": records, "end": end, "half_life": half_life, "levels": levels,
             "expected": forecast(records, end, half_life, levels)}
        )
    lines = ",\n".join(json.dumps(case) for case in cases)
    pathlib.Path(__file__).with_name("forecasts.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
