"""Calibration: reliability diagram, expected calibration error (ECE), temperature scaling."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BINS = 15
TEMPERATURES = (0.05, 20.0)
"""The range of the search: a model that is always right has no optimal temperature."""


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies in (low, high]; the first bin holds 0 as well."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean confidence; nan where the bin is empty."""
    accuracy: float
    """Share of right predictions; nan where the bin is empty."""


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The reliability diagram: accuracy against confidence in bins of equal width over [0, 1] (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599).

    confidence: (E,) probabilities of the predicted answers; correct: (E,) whether they are right.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    assert confidence.shape == correct.shape
    edges = np.linspace(0, 1, bins + 1)
    rows = places(confidence, bins)
    n, confidences, right = (np.bincount(rows, weights, minlength=bins) for weights in (None, confidence, correct))
    with np.errstate(invalid="ignore"):
        means = zip(edges[:-1], edges[1:], n, confidences / n, right / n, strict=True)
    return [Bin(float(low), float(high), int(k), float(c), float(a)) for low, high, k, c, a in means]


def places(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """(E,) the bin of each confidence, from 0."""
    return np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0, bins - 1)


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy of the bins, weighted by their sizes (Naeini et al. 2015,
    https://doi.org/10.1609/aaai.v29i1.9602); 0 of no predictions."""
    full = [one for one in reliability(confidence, correct, bins) if one.n]
    return sum(one.n * abs(one.confidence - one.accuracy) for one in full) / max(sum(one.n for one in full), 1)


def temperature_of_labels(logits: np.ndarray, labels: np.ndarray) -> float:
    """The number by which logits (E, C) are to be divided so that the softmax gives the labels (E,), as ids, the
    highest likelihood: temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    from scipy.special import log_softmax

    rows = np.arange(len(labels))
    return _best_temperature(lambda t: float(-log_softmax(logits / t, axis=1)[rows, labels].mean()))


def temperature_of_flags(logits: np.ndarray, flags: np.ndarray) -> float:
    """As `temperature_of_labels`, for the sigmoid of each logit (E, C) and flags (E, C) that say which labels hold."""
    signs = np.where(flags, 1.0, -1.0)
    return _best_temperature(lambda t: float(np.logaddexp(0, -signs * logits / t).mean()))


def _best_temperature(loss: Callable[[float], float]) -> float:
    """The loss is convex in 1 / t, and so has one minimum in log t."""
    from scipy.optimize import minimize_scalar

    bounds = math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1])
    found = minimize_scalar(lambda log_t: loss(math.exp(log_t)), bounds=bounds, method="bounded")
    return math.exp(found.x)
