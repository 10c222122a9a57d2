"""Scores that mean what they say, and thresholds; all from validation pictures."""

import numpy as np
from scipy.optimize import minimize, minimize_scalar

# A chest score from here on is called pneumonia. The score is calibrated with both classes weighing the same, on films
# as they are and perturbed: the threshold lies where it does for both, instead of where validation films alone, which
# are easier than those of any other time, would have it.
SCORE_THRESHOLD = 0.5
# The mask threshold is one of these.
MASK_THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)


def platt(logits, labels):
    """(offset, temperature): the probability is the sigmoid of (logit + offset) / temperature (Platt 1999).

    Both classes weigh the same, so the score is that of a place where every second film shows pneumonia.
    """
    weights = np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())
    signs = np.where(labels == 1, -1.0, 1.0)

    def loss(values):
        offset, logarithm = values
        return (weights * np.logaddexp(0, signs * (logits + offset) / np.exp(logarithm))).sum()

    offset, logarithm = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9}).x
    return float(offset), float(np.exp(logarithm))


def temperature(logits, labels):
    """The divisor of logits [n, k] with the least cross-entropy (Guo et al. 2017, arXiv 1706.04599)."""

    def loss(logarithm):
        scaled = logits / np.exp(logarithm)
        top = scaled.max(1, keepdims=True)
        total = np.log(np.exp(scaled - top).sum(1)) + top[:, 0]
        return (total - scaled[np.arange(len(labels)), labels]).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
