"""Holding out a part of the training examples."""

import numpy as np

from hf_tasks.data.part import Part
from hf_tasks.errors import DataError
from hf_tasks.tasks.base import Task


def hold_out(part: Part, task: Task, share: float, seed: int) -> tuple[Part, Part]:
    """(the rest, the held-out rows), drawn by the seed, both in the order of `part`.

    round(share * rows) rows are held out, at least 1; each stratum of the task gives its share of them (by largest
    remainders) and keeps at least a row. Where the task's rows form groups, whole groups are held out instead, until
    there are as many rows. Raises DataError where there is only one row.
    """
    if len(part) < 2:
        raise DataError(f"{part.where(0)}: there is only this row, none can be held out; give data.validation")
    total, random = max(1, round(share * len(part))), np.random.default_rng(seed)
    names, groups = np.unique([task.group(example) for example in part.rows()], return_inverse=True)
    if len(names) > 1:
        held = _whole_groups(groups, total, random)
        return part.select(np.flatnonzero(~held)), part.select(np.flatnonzero(held))
    strata = np.unique([task.stratum(example) for example in part.rows()], return_inverse=True)[1]
    if np.bincount(strata).max() == 1:  # a stratum each: nothing to balance
        strata = np.zeros(len(part), dtype=np.int64)
    taken = _taken(np.bincount(strata), total)
    held = np.zeros(len(part), dtype=bool)
    for stratum, count in enumerate(taken):
        held[random.choice(np.flatnonzero(strata == stratum), count, replace=False)] = True
    return part.select(np.flatnonzero(~held)), part.select(np.flatnonzero(held))


def _whole_groups(groups: np.ndarray, total: int, random: np.random.Generator) -> np.ndarray:
    """Flags (N,) of the rows of randomly drawn groups (N,) that have `total` rows or a few more; one group is left."""
    sizes = np.bincount(groups)
    order = random.permutation(len(sizes))[:-1]
    drawn = order[: 1 + np.searchsorted(np.cumsum(sizes[order]), total)]
    return np.isin(groups, drawn)


def _taken(sizes: np.ndarray, total: int) -> np.ndarray:
    """How many of each stratum's `sizes` (S,) rows are held out so that they sum to `total` where they can."""
    most = sizes - 1
    quotas = sizes * (total / sizes.sum())
    taken: np.ndarray = np.minimum(np.floor(quotas).astype(np.int64), most)
    for stratum in np.argsort(taken - quotas, kind="stable"):  # largest remainder first
        if taken.sum() < total and taken[stratum] < most[stratum]:
            taken[stratum] += 1
    return taken
