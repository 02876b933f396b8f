"""Spearman's correlation of many resamples at once. It is no function of sums: a resample has ranks of its own."""

from collections.abc import Sequence

import numpy as np

from hf_tasks.metrics.summable import share


def of_resamples(predictions: Sequence[float], references: Sequence[float], weights: np.ndarray) -> np.ndarray:
    """(R,) the correlations where example e occurs weights[r, e] times, (R, E); equal values share their mean rank."""
    n = weights.sum(1)
    x, y = (_ranks(np.asarray(side, float), weights) - (n[:, None] + 1) / 2 for side in (predictions, references))
    weighted = weights * x
    spread = np.sqrt((weighted * x).sum(1) * (weights * y * y).sum(1))
    return share((weighted * y).sum(1), spread)


def of_predictions(predictions: np.ndarray, references: Sequence[float]) -> np.ndarray:
    """(R,) the correlations of several predictions (R, E) of the same examples."""
    from scipy.stats import rankdata

    x, y = (rankdata(side, axis=-1) - (predictions.shape[1] + 1) / 2 for side in (predictions, np.array(references)))
    return share(x @ y, np.sqrt((x * x).sum(1) * (y @ y)))


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R, E) the rank of each example's value (E,) in each resample."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)  # (R, G)
    return np.asarray((sizes.cumsum(1) - (sizes - 1) / 2)[:, group])
