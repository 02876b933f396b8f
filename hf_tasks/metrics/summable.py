"""The summable form of a metric: what each example adds, and the value of a sum."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Values = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sums:
    counts: np.ndarray
    """What each example adds, (E, K) float64."""
    values: Values
    """From sums (R, K) to the metric's values, (R,) each."""


def with_one(*columns: np.ndarray) -> np.ndarray:
    """The columns, and a last one of ones that counts the examples."""
    return np.stack([*columns, np.ones(len(columns[0]))], axis=1)


def share(part: np.ndarray, whole: np.ndarray, of_nothing: float = 0.0) -> np.ndarray:
    """part / whole, and `of_nothing` where whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full_like(part, of_nothing), where=whole > 0))
