"""Metrics of predicted probabilities: expected calibration error, Brier score, negative log-likelihood.

decisions        for each example, the probabilities of what was decided, and whether each decision was right; of
                 several labels, the probability of each, and whether the example has it
probabilities    for each example, the probability of every label
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics.calibration import BINS, places
from hf_tasks.metrics.metric import Metric, Sums, Value, Values, means, share

Decisions = Sequence[tuple[Sequence[float], Sequence[bool]]]
Probabilities = Sequence[Mapping[str, float]]

DRAWS = 1000
HALVINGS = 30
"""Bisection steps in the search for a calibration error."""

SMALLEST = float(np.finfo(np.float64).eps)
"""A probability of 0 would make the likelihood infinite; scikit-learn's log_loss takes this instead."""


def _ece(predictions: Sequence[Any], references: Sequence[Any], decisions: Decisions) -> Sums:
    """Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602."""
    example = np.repeat(np.arange(len(decisions)), [len(probabilities) for probabilities, _ in decisions])
    confidence, correct = (np.array([value for row in decisions for value in row[side]], float) for side in (0, 1))
    cells = example * BINS + places(confidence, BINS)
    size = len(decisions) * BINS
    distance = np.bincount(cells, confidence - correct, size).reshape(-1, BINS)
    n = np.bincount(cells, minlength=size).reshape(-1, BINS).sum(1)
    return _calibration(np.hstack([distance, distance**2, n[:, None], np.ones((len(decisions), 1))]))


def _calibration(counts: np.ndarray) -> Sums:
    """Of each example the distances in each bin, their squares, the number of decisions, and 1."""

    def of_sums(s: np.ndarray) -> Values:
        return {"ece": share(np.abs(s[:, :BINS]).sum(1), s[:, -2]), "ece_debiased": _debiased(s)}

    words = "biased upwards with few examples, even for a calibrated model; see ece_debiased and its interval"
    return Sums(counts, of_sums, no_interval_of=lambda _: {"ece": words})


def _noise(s: np.ndarray) -> np.ndarray:
    """(R, BINS) the standard error of each bin's sum of distances, over random examples."""
    return np.asarray(np.sqrt(np.maximum(s[:, BINS : 2 * BINS] - share(s[:, :BINS] ** 2, s[:, -1:]), 0)))


def _debiased(s: np.ndarray) -> np.ndarray:
    """(R,) the calibration error whose estimate has what was seen as its mean: each bin's distance is its true one and
    normal noise, whose absolute value has a mean above zero (Roelofs et al. 2022, https://arxiv.org/abs/2012.08668)."""
    from scipy.stats import norm

    distance, noise = np.abs(s[:, :BINS]), np.maximum(_noise(s), np.finfo(float).tiny)
    seen = distance.sum(1)

    def mean_seen(split: np.ndarray) -> np.ndarray:
        """Of true distances that are the given shares (R,) of the observed ones."""
        true = split[:, None] * distance
        folded = noise * 2 * norm.pdf(true / noise) + true * (1 - 2 * norm.cdf(-true / noise))
        return np.asarray(folded.sum(1))

    low, high = np.zeros(len(s)), np.ones(len(s))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = mean_seen(middle) > seen
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return share(np.where(low > 0, high, 0) * seen, s[:, -2])


def _ece_interval(form: Sums) -> dict[str, tuple[float, float]]:
    """The true calibration errors whose estimate, of as many examples, is as high as what was seen with at least 2.5 %
    and as low with at least 2.5 %; distances in proportion to those seen."""
    s = form.counts.sum(0, keepdims=True)
    seen, total = np.abs(s[0, :BINS]), np.abs(s[0, :BINS]).sum()
    noise = _noise(s)[0] * np.random.default_rng(0).normal(size=(DRAWS, BINS))

    def split(quantile: float) -> float:
        """The share of the observed distances at which a quantile of the estimates equals the observed value."""
        low, high = 0.0, 4.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = np.quantile(np.abs(middle * seen + noise).sum(1), quantile) > total
            low, high = (low, middle) if above else (middle, high)
        return high if low > 0 else 0.0

    return {"ece_debiased": (split(0.975) * total / s[0, -2], min(1.0, split(0.025) * total / s[0, -2]))}


def _brier(predictions: Sequence[Any], references: Sequence[Any], probabilities: Probabilities) -> Sums:
    """Brier 1950, https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2: the squares are summed over the
    labels, from 0 to 2; of two labels that of the second counts, and of labels that do not exclude each other the
    mean, from 0 to 1."""
    return means({"brier": _each(_squares, references, probabilities)})


def _nll(predictions: Sequence[Any], references: Sequence[Any], probabilities: Probabilities) -> Sums:
    """In nats; of labels that do not exclude each other, the mean over the labels."""
    return means({"nll": _each(_surprises, references, probabilities)})


def _each(
    measure: Callable[[np.ndarray, np.ndarray, bool], np.ndarray],
    references: Sequence[Any],
    probabilities: Probabilities,
) -> np.ndarray:
    """(E,) what `measure` makes of the probabilities (E, C), of the flags (E, C) that say what holds, and of whether
    labels exclude each other."""
    if not len(references):
        return np.zeros(0)
    labels, exclusive = list(probabilities[0]), isinstance(references[0], str)
    rows = np.array([[row[label] for label in labels] for row in probabilities])
    holds = [[label == right if exclusive else label in right for label in labels] for right in references]
    return measure(rows, np.array(holds), exclusive)


def _squares(rows: np.ndarray, holds: np.ndarray, exclusive: bool) -> np.ndarray:
    squares = (rows - holds) ** 2
    return np.asarray(squares.sum(1) if exclusive and rows.shape[1] > 2 else squares.mean(1))


def _surprises(rows: np.ndarray, holds: np.ndarray, exclusive: bool) -> np.ndarray:
    likelihood = np.where(holds, rows, 1 - rows).clip(SMALLEST)
    return np.asarray(-np.log(likelihood[holds]) if exclusive else -np.log(likelihood).mean(1))


ece = Metric(
    {
        "ece": Value(
            "expected calibration error: mean distance of probability and frequency, 15 bins; lower is better"
        ),
        "ece_debiased": Value(
            "ece corrected for its bias with few examples; lower is better (Roelofs et al. 2022); its 95 % interval "
            "covers the true value in 84 to 98 % of cases"
        ),
    },
    _ece,
    intervals=_ece_interval,
    of_table=_calibration,
    higher_is_better=False,
)
brier = Metric(
    {
        "brier": Value(
            "mean squared distance of the probabilities from what holds; lower is better (Brier 1950)", highest=2
        )
    },
    _brier,
    higher_is_better=False,
)
nll = Metric(
    {"nll": Value("mean negative log-likelihood of the true labels, in nats; lower is better", highest=np.inf)},
    _nll,
    higher_is_better=False,
)
