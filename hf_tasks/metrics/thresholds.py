"""Decision thresholds that maximise a metric on the validation split.

All thresholds with different decisions are tried: those between two distinct probabilities, and at both ends. Of
equally good thresholds the one nearest to 0.5 is returned, and 0.5 itself where it is as good as any. Time O(n log n).
"""

from collections.abc import Sequence

import numpy as np

from hf_tasks.metrics import METRICS
from hf_tasks.metrics.metric import Sums

NEUTRAL = 0.5


def best_for_f1(probabilities: np.ndarray, flags: np.ndarray) -> float:
    """The threshold with the highest F1 of one label; 0.5 where no example has it.

    probabilities: (E,); flags: (E,) whether each example has the label.
    """
    order, below, cuts = _cuts(probabilities)
    positives = flags.sum()
    if not positives:
        return NEUTRAL
    missed = np.append(0, np.cumsum(flags[order]))[below]  # by every cut
    return _best(2 * (positives - missed) / (len(flags) - below + positives), cuts, _at_neutral(probabilities, below))


def best_for_metric(metric: str, probabilities: np.ndarray, references: Sequence[str], labels: Sequence[str]) -> float:
    """The threshold for the probability of the second of two labels (E,) with the highest value of a metric, which must
    be one that follows from sums over the examples, else of accuracy; 0.5 where the references are all alike."""
    if len(set(references)) < 2:
        return NEUTRAL
    first, second = (_always(label, metric, references) for label in labels)
    order, below, cuts = _cuts(probabilities)
    gained = np.cumsum((first.counts - second.counts)[order], axis=0)  # by taking the first label of the lowest ones
    totals = second.counts.sum(0) + np.vstack([np.zeros_like(gained[:1]), gained])[below]
    return _best(next(iter(first.of_sums(totals).values())), cuts, _at_neutral(probabilities, below))


def _always(label: str, metric: str, references: Sequence[str]) -> Sums:
    """The statistics of a system that always predicts one label."""
    answers = [label] * len(references)
    form = METRICS[metric].sums(answers, references) if metric in METRICS else None
    return form if isinstance(form, Sums) else _always(label, "accuracy", references)


def _cuts(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(the examples by rising probability; for each threshold, how many of them are below it; the thresholds)."""
    order = np.argsort(probabilities, kind="stable")
    bounds = np.concatenate([[0.0], probabilities[order], [1.0]])
    below = np.flatnonzero(np.diff(bounds) > 0)
    return order, below, (bounds[below] + bounds[below + 1]) / 2


def _at_neutral(probabilities: np.ndarray, below: np.ndarray) -> int:
    """The index of the cut that decides as 0.5 does."""
    return int(np.searchsorted(below, (probabilities <= NEUTRAL).sum()))


def _best(values: np.ndarray, cuts: np.ndarray, neutral: int) -> float:
    best = np.flatnonzero(values >= values.max() - 1e-12)
    if neutral in best:
        return NEUTRAL
    return float(cuts[best[np.abs(cuts[best] - NEUTRAL).argmin()]])
