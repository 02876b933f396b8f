"""Metrics of probabilities: not whether a prediction is right, but whether the model is as sure as it should be.

decisions        for each example, the probabilities of what was decided, and whether each decision was right; of
                 several labels, the probability of each, and whether the example has it
probabilities    for each example, the probability of every label
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hf_tasks.calibration import BINS, expected_calibration_error, places
from hf_tasks.metrics.summable import Sums, with_one

Decisions = Sequence[tuple[Sequence[float], Sequence[bool]]]
Probabilities = Sequence[Mapping[str, float]]

SMALLEST = float(np.finfo(np.float64).eps)
"""A probability of 0 would make the likelihood infinite; scikit-learn's log_loss takes this instead."""


def ece(predictions: list[Any], references: list[Any], decisions: Decisions) -> dict[str, float]:
    """Expected calibration error over 15 bins: the mean distance of probability and frequency (Naeini et al. 2015,
    https://doi.org/10.1609/aaai.v29i1.9602); from 0 to 1, lower is better."""
    _, confidence, correct = _flat(decisions)
    return {"ece": expected_calibration_error(confidence, correct)}


def brier(predictions: list[Any], references: list[Any], probabilities: Probabilities) -> dict[str, float]:
    """Mean squared distance of the probabilities from what holds: summed over the labels, from 0 to 2; of two labels
    that of the second, and of labels that do not exclude each other the mean, from 0 to 1. Lower is better.

    Brier 1950, https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2
    """
    return {"brier": float(np.mean(_each(_squares, references, probabilities)))}


def nll(predictions: list[Any], references: list[Any], probabilities: Probabilities) -> dict[str, float]:
    """Mean negative log-likelihood of the true label, in nats; of labels that do not exclude each other, the mean over
    the labels. Lower is better."""
    return {"nll": float(np.mean(_each(_surprises, references, probabilities)))}


# -- summable


def ece_sums(predictions: list[Any], references: list[Any], decisions: Decisions) -> Sums:
    example, confidence, correct = _flat(decisions)
    cells = example * BINS + places(confidence, BINS)
    size = len(decisions) * BINS
    n, distance = (np.bincount(cells, what, minlength=size) for what in (None, confidence - correct))
    counts = np.hstack([distance.reshape(-1, BINS), n.reshape(-1, BINS).sum(1, keepdims=True)])

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        return {"ece": np.abs(s[:, :BINS]).sum(1) / np.maximum(s[:, BINS], 1)}

    return Sums(counts, values)


def brier_sums(predictions: list[Any], references: list[Any], probabilities: Probabilities) -> Sums:
    return Sums(with_one(_each(_squares, references, probabilities)), lambda s: {"brier": s[:, 0] / s[:, 1]})


def nll_sums(predictions: list[Any], references: list[Any], probabilities: Probabilities) -> Sums:
    return Sums(with_one(_each(_surprises, references, probabilities)), lambda s: {"nll": s[:, 0] / s[:, 1]})


def _flat(decisions: Decisions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(the example, the probability, whether it was right) of every decision, (D,) each."""
    example = np.repeat(np.arange(len(decisions)), [len(sure) for sure, _ in decisions])
    sure, right = (np.array([value for row in decisions for value in row[side]], float) for side in (0, 1))
    return example, sure, right


def _each(
    measure: Callable[[np.ndarray, np.ndarray, bool], np.ndarray], references: list[Any], probabilities: Probabilities
) -> np.ndarray:
    """(E,) what `measure` makes of the probabilities (E, C), of the flags (E, C) that say what holds, and of whether
    labels exclude each other."""
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
