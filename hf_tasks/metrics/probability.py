"""Metrics of predicted probabilities: expected calibration error, Brier score, negative log-likelihood.

decisions        for each example, the probabilities of what was decided, and whether each decision was right; of
                 several labels, the probability of each, and whether the example has it
probabilities    for each example, the probability of every label
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hf_tasks.calibration import BINS, places
from hf_tasks.metrics.metric import Metric, Sums, Value, Values, means, share

Decisions = Sequence[tuple[Sequence[float], Sequence[bool]]]
Probabilities = Sequence[Mapping[str, float]]

SMALLEST = float(np.finfo(np.float64).eps)
"""A probability of 0 would make the likelihood infinite; scikit-learn's log_loss takes this instead."""


def _ece(predictions: Sequence[Any], references: Sequence[Any], decisions: Decisions) -> Sums:
    """Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602."""
    example = np.repeat(np.arange(len(decisions)), [len(sure) for sure, _ in decisions])
    confidence, correct = (np.array([value for row in decisions for value in row[side]], float) for side in (0, 1))
    cells = example * BINS + places(confidence, BINS)
    n, distance = (np.bincount(cells, what, len(decisions) * BINS) for what in (None, confidence - correct))
    counts = np.hstack([distance.reshape(-1, BINS), n.reshape(-1, BINS).sum(1, keepdims=True)])

    def of_sums(s: np.ndarray) -> Values:
        return {"ece": share(np.abs(s[:, :BINS]).sum(1), s[:, BINS])}

    return Sums(counts, of_sums)


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
    {"ece": Value("expected calibration error: mean distance of probability and frequency, 15 bins; lower is better")},
    _ece,
    higher_is_better=False,
)
brier = Metric(
    {"brier": Value("mean squared distance of the probabilities from what holds; lower is better (Brier 1950)")},
    _brier,
    higher_is_better=False,
)
nll = Metric(
    {"nll": Value("mean negative log-likelihood of the true labels, in nats; lower is better")},
    _nll,
    higher_is_better=False,
)
