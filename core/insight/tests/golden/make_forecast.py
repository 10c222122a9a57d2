"""Writes forecast.json: what utilsforecast and scikit-learn answer for the forecasts that the tests use.

Absolute and squared errors, bias, the scaled metrics, coverage and calibration are utilsforecast's; the pinball loss is
scikit-learn's; the width is a difference. Which of them are averaged follows the Monash archive: the metric of each
series, a lag of 1 where the past is not longer than the period, and the mean over the series whose metric is finite.
RMSSE and the scaled pinball loss are M5's: a lag of 1, and the past from its first value that is not 0.

Run it as make.py says, in the same environment:

    "$HOME/golden/bin/python" make_forecast.py

The output depends on nothing but the pinned versions: run twice, it is the same file.
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.metrics import mean_pinball_loss
from utilsforecast import losses

LEVELS = (0.05, 0.5, 0.9)
INTERVAL = 85  # what utilsforecast calls the columns of the lowest and the highest level


def cases():
    random = np.random.default_rng(41)

    def counts(steps, rate):
        return random.poisson(rate, steps).astype(float)

    def season(steps, period):
        return (10 + 5 * np.sin(np.arange(steps) * 2 * np.pi / period) + random.normal(0, 1, steps)).round(3)

    yield "one step", 1, [([3.0], [1.0, 2.0])]
    yield "one value of past", 1, [([3.0, 1.0], [2.0])]
    yield "no past", 1, [([3.0, 1.0], [])]
    yield "past never changes", 1, [([3.0, 1.0], [2.0, 2.0, 2.0])]
    yield "past is 0", 1, [([0.0, 1.0], [0.0, 0.0, 0.0])]
    yield "season never changes", 2, [([3.0, 1.0], [2.0, 5.0, 2.0, 5.0, 2.0])]
    yield "begins late", 1, [([1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 3.0])]
    yield "past as long as the period", 4, [([5.0, 6.0], [1.0, 4.0, 2.0, 3.0])]
    yield "past one longer than the period", 4, [([5.0, 6.0], [1.0, 4.0, 2.0, 3.0, 2.0])]
    yield "below 0", 3, [([-5.0, 2.5], [-1.0, 4.0, -2.0, 3.0, -2.0])]
    yield "seasons", 12, [(season(12, 12), season(60, 12)) for _ in range(6)]
    yield "mostly 0", 7, [(counts(28, 0.3), counts(90, 0.3)) for _ in range(20)]
    yield "long and short", 7, [
        (counts(random.integers(1, 15), 2.0), counts(random.integers(0, 20), 0.8)) for _ in range(60)
    ]
    yield "small and great", 5, [(season(10, 5) * scale, season(30, 5) * scale) for scale in (1e-6, 1.0, 1e9)]


def frame(columns):
    """utilsforecast's long form: a row for each step, with the series' number and the time."""
    parts = [
        pd.DataFrame({"unique_id": series, "ds": np.arange(len(next(iter(values.values())))), **values})
        for series, values in enumerate(columns)
    ]
    return pd.concat(parts, ignore_index=True)


def of_series(answer, series, model="mean"):
    """The metric of each series by its number, NaN for those that utilsforecast left out."""
    return answer.set_index("unique_id")[model].reindex(range(series)).to_numpy(dtype=float)


def mean(values):
    finite = values[np.isfinite(values)]
    return (float(finite.mean()) if len(finite) else None), int(len(values) - len(finite))


def expected(series, forecasts, period):
    count = len(series)
    ends = {f"mean-lo-{INTERVAL}": LEVELS[0], f"mean-hi-{INTERVAL}": LEVELS[-1]}
    steps = frame(
        {
            "y": actual,
            "mean": forecast["mean"],
            **{f"q{level}": forecast[level] for level in LEVELS},
            **{name: forecast[level] for name, level in ends.items()},
        }
        for (actual, _), forecast in zip(series, forecasts)
    )
    past = frame({"y": past} for _, past in series)
    active = frame({"y": np.trim_zeros(past, "f")} for _, past in series)
    plain = {name: of_series(getattr(losses, name)(steps, ["mean"]), count) for name in ("mae", "rmse", "bias")}
    with np.errstate(all="ignore"):
        seasonal = of_series(losses.mase(steps, ["mean"], period, past), count)
        follows = of_series(losses.mase(steps, ["mean"], 1, past), count)
        long = np.array([len(past) > period for _, past in series])
        scaled = {
            "mase": np.where(long, seasonal, follows),
            "rmsse": of_series(losses.rmsse(steps, ["mean"], 1, active), count),
        }
        pinball = {
            level: of_series(losses.scaled_quantile_loss(steps, {"q": f"q{level}"}, 1, active, level), count, "q")
            for level in LEVELS
        }
    scaled["scaled_pinball_loss"] = np.mean([pinball[level] for level in LEVELS], axis=0)
    quantiles = []
    for level in LEVELS:
        below = losses.calibration(steps, {"q": f"q{level}"})
        quantiles.append(
            {
                "level": level,
                "pinball_loss": float(
                    np.mean([mean_pinball_loss(a, f[level], alpha=level) for (a, _), f in zip(series, forecasts)])
                ),
                "scaled_pinball_loss": mean(pinball[level])[0],
                "share_below": mean(of_series(below, count, "q"))[0],
            }
        )
    width = np.array([np.mean(forecast[LEVELS[-1]] - forecast[LEVELS[0]]) for forecast in forecasts])
    return {
        **{name: mean(values)[0] for name, values in plain.items()},
        **{name: mean(values)[0] for name, values in scaled.items()},
        "left_out": {name: mean(values)[1] for name, values in scaled.items()},
        "quantiles": quantiles,
        "coverage": mean(of_series(losses.coverage(steps, ["mean"], INTERVAL), count))[0],
        "width": mean(width)[0],
        "crossed": int(sum(np.sum(forecast[LEVELS[0]] > forecast[LEVELS[-1]]) for forecast in forecasts)),
    }


def main():
    random = np.random.default_rng(43)
    written = []
    for name, period, series in cases():
        series = [(np.asarray(actual, dtype=float), np.asarray(past, dtype=float)) for actual, past in series]
        forecasts = []
        for actual, _ in series:
            # Forecasts that are hit now and then, and ends that cross now and then.
            spread = max(1.0, float(np.abs(actual).max()))
            centre = actual + spread * random.choice([-0.5, 0.0, 0.0, 0.5, 1.0], len(actual))
            low, high = spread * random.choice([-0.1, 0.25, 1.0], (2, len(actual)), p=[0.05, 0.45, 0.5])
            forecasts.append({"mean": centre, LEVELS[0]: centre - low, LEVELS[1]: centre, LEVELS[2]: centre + high})
        flat = {
            "actual": np.concatenate([actual for actual, _ in series]).tolist(),
            "offsets": [0, *np.cumsum([len(actual) for actual, _ in series]).tolist()],
            "past": np.concatenate([past for _, past in series]).tolist(),
            "past_offsets": [0, *np.cumsum([len(past) for _, past in series]).tolist()],
            "mean": np.concatenate([forecast["mean"] for forecast in forecasts]).tolist(),
            "quantiles": [np.concatenate([forecast[level] for forecast in forecasts]).tolist() for level in LEVELS],
        }
        written.append({"name": name, "period": period, **flat, "expected": expected(series, forecasts, period)})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
    head = json.dumps({"levels": LEVELS}, separators=(",", ":"))[:-1]
    pathlib.Path(__file__).with_name("forecast.json").write_text(f'{head},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
