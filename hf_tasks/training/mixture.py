"""Which examples of several datasets an epoch has: exact shares, and none twice before all others of its dataset.

The rates are those of Raffel et al. 2020, section 3.5.2 (https://jmlr.org/papers/v21/20-074.html).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_tasks.data.section import Mixing


def rates(sizes: Sequence[int], mixing: Mixing) -> np.ndarray:
    """The share (M,) of each dataset of so many examples: min(size, limit) ** (1 / temperature), normalised."""
    limited = np.minimum(sizes, mixing.limit or np.inf).astype(float)
    weights: np.ndarray = np.ones(len(sizes)) if mixing.strategy == "equal" else limited ** (1 / mixing.temperature)
    normalized: np.ndarray = weights / weights.sum()
    return normalized


def shares(total: int, rate: np.ndarray) -> np.ndarray:
    """`total` rows divided by the rates (M,), rounded by the largest remainder."""
    exact = total * rate
    counts: np.ndarray = np.floor(exact).astype(int)
    rest = total - counts.sum()
    counts[np.argsort(-(exact - counts), kind="stable")[:rest]] += 1
    return counts


@dataclass(frozen=True)
class Mixture:
    """The rows of each epoch; they depend on seed and epoch alone."""

    members: tuple[np.ndarray, ...]
    """The rows of each dataset."""
    counts: np.ndarray
    """(M,) rows of each dataset in an epoch."""
    seed: int

    @classmethod
    def of(cls, names: Sequence[str], mixing: Mixing, seed: int) -> "Mixture":
        """`names` (N,): the dataset of each row."""
        distinct, of_row = np.unique(np.asarray(names), return_inverse=True)
        members = tuple(np.flatnonzero(of_row == i) for i in range(len(distinct)))
        sizes = [len(rows) for rows in members]
        total = mixing.rows_per_epoch or int(np.minimum(sizes, mixing.limit or np.inf).sum())
        return cls(members, shares(total, rates(sizes, mixing)), seed)

    def rows(self, epoch: int) -> np.ndarray:
        """(R,) the rows of an epoch: each dataset continues through its endless sequence of permutations."""
        return np.concatenate([self._of(i, epoch) for i in range(len(self.members))])

    def _of(self, number: int, epoch: int) -> np.ndarray:
        rows, count = self.members[number], int(self.counts[number])
        first, end = epoch * count, (epoch + 1) * count
        passes = range(first // len(rows), max(end - 1, first) // len(rows) + 1)
        orders = [np.random.default_rng([self.seed, number, one]).permutation(rows) for one in passes]
        before = passes[0] * len(rows)
        drawn: np.ndarray = np.concatenate(orders)[first - before : end - before]
        return drawn
