"""Hold out a validation split from the training examples, divide them into folds, and draw a sample of a split."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.core.errors import DataError
from hf_tasks.data.dataset import DataSplit
from hf_tasks.tasks.base import Task

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def hold_out(split: DataSplit, task: Task, share: float, seed: int) -> tuple[DataSplit, DataSplit]:
    """Split into (training, held-out) examples, drawn by the seed, both in their original order.

    round(share * examples) examples are held out, at least 1. Examples with the same input stay together, and so do
    examples of the same group if the task has groups (questions about one context); the number can then differ by half
    the size of such a unit. Each stratum of the task, e.g. each label, gives its share and keeps at least one example;
    only if that is impossible otherwise are examples with the same input separated. Raises DataError if there is only
    one example.
    """
    if len(split) < 2:
        raise DataError(f"{split.where(0)}: this is the only row, so none can be held out; give data.validation")
    total, random = max(1, round(share * len(split))), np.random.default_rng(seed)
    units = _units(split, task)
    strata = [task.traits.strata(example) for example in split.rows()]
    held = _drawn(units, strata, total, random)
    if not held.any():  # every unit has all examples of a label: examples are held out one by one
        held = _held_units(_counts(rows := np.arange(len(split)), strata), np.ones_like(rows), total, random)
    if not held.any():
        held = _single(np.zeros(len(split), dtype=np.int64), total, random)
    return split.select(np.flatnonzero(~held)), split.select(np.flatnonzero(held))


def folds(split: DataSplit, task: Task, count: int, seed: int) -> np.ndarray:
    """Return the fold (E,) of each example, from 1 to `count`, drawn by the seed.

    Each fold is held out from the examples of the folds after it, as in `hold_out`: strata give their shares, examples
    with the same input or of the same group are in one fold; but a fold can have all examples of a stratum. Raises
    DataError if a fold would be empty.
    """
    units, random = _units(split, task), np.random.default_rng(seed)
    strata = [task.traits.strata(example) for example in split.rows()]
    fold, left = np.full(len(split), count), np.arange(len(split))
    for number in range(1, count):
        total = max(1, round(len(left) / (count - number + 1)))
        own = np.unique(units[left], return_inverse=True)[1].reshape(-1)
        held = _drawn(own, [strata[row] for row in left], total, random, spare=0)
        fold[left[held]], left = number, left[~held]
        if not len(left):
            break
    if empty := set(range(1, count + 1)) - set(fold.tolist()):
        kind = f"groups by {task.traits.group}" if task.traits.group else "different inputs"
        what = f"{units.max() + 1:,} {kind}"
        raise DataError(f"data.folds: fold {min(empty)} of {count} would have no examples ({what}); write fewer folds")
    return fold


def fold_of(split: DataSplit, task: Task, count: int, number: int, seed: int) -> tuple[DataSplit, DataSplit]:
    """Split into (the examples of all other folds, those of one fold), both in their original order."""
    inside = folds(split, task, count, seed) == number
    return split.select(np.flatnonzero(~inside)), split.select(np.flatnonzero(inside))


def sample(split: DataSplit, task: Task, size: int | None, seed: int) -> DataSplit:
    """Return at most `size` examples, drawn by the seed, in their original order.

    Each stratum of the task, e.g. each label, gives its share, and at least one example if `size` allows one of each;
    an example of several labels belongs to the rarest of them.
    """
    if size is None or size >= len(split):
        return split
    random = np.random.default_rng(seed)
    names = [task.traits.strata(example) or ("",) for example in split.rows()]
    counts = Counter(name for several in names for name in several)
    rarest = [min(several, key=lambda name: (counts[name], name)) for several in names]
    strata = np.unique(rarest, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(strata)
    if len(sizes) == 1:
        return split.select(np.sort(random.choice(len(split), size, replace=False)))
    members = np.split(np.argsort(strata, kind="stable"), np.cumsum(sizes)[:-1])
    drawn = [random.choice(own, n, replace=False) for own, n in zip(members, _shares(sizes, size), strict=True)]
    return split.select(np.sort(np.concatenate(drawn)))


def _shares(sizes: np.ndarray, total: int) -> np.ndarray:
    """Distribute `total` examples over strata of `sizes` (S,), at least one each where there are enough."""
    least, quotas = int(total >= len(sizes)), sizes * (total / sizes.sum())
    taken: np.ndarray = np.maximum(np.floor(quotas).astype(np.int64), least)
    while taken.sum() < total:
        taken[np.where(taken < sizes, quotas - taken, -np.inf).argmax()] += 1
    while taken.sum() > total:
        taken[np.where(taken > least, taken - quotas, -np.inf).argmax()] -= 1
    return taken


def _units(split: DataSplit, task: Task) -> np.ndarray:
    """Return (E,) the unit of each example: examples of one group, or else with the same input."""
    same_input = [name for name in task.traits.compared if name in split.examples.column_names]
    for columns in ([task.traits.group] if task.traits.group else []), same_input:
        numbers: dict[int, int] = {}
        units = [numbers.setdefault(hash(repr([row[c] for c in columns])), len(numbers)) for row in split.rows()]
        if len(numbers) > 1:
            return np.array(units)
    return np.arange(len(split))


def _drawn(
    units: np.ndarray, strata: Sequence[Sequence[str]], total: int, random: np.random.Generator, spare: int = 1
) -> np.ndarray:
    """Return flags (E,) of about `total` held-out examples. `spare`: the examples that every stratum keeps."""
    if units.max() + 1 == len(units) and all(len(names) == 1 for names in strata):
        return _single(np.unique(strata, return_inverse=True)[1].reshape(-1), total, random, spare)
    held: np.ndarray = _held_units(_counts(units, strata), np.bincount(units), total, random, spare)[units]
    return held


def _single(strata: np.ndarray, total: int, random: np.random.Generator, spare: int = 1) -> np.ndarray:
    """Return flags (E,) of `total` held-out examples, drawn from each stratum (E,) in proportion to its size."""
    if np.bincount(strata).max() == 1:  # each example is its own stratum: nothing to balance
        strata = np.zeros_like(strata)
    held = np.zeros(len(strata), dtype=bool)
    for stratum, count in enumerate(_apportion(np.bincount(strata), total, spare)):
        held[random.choice(np.flatnonzero(strata == stratum), count, replace=False)] = True
    return held


def _apportion(sizes: np.ndarray, total: int, spare: int = 1) -> np.ndarray:
    """Distribute `total` held-out examples over strata of `sizes` (S,) examples (largest remainder method)."""
    most = sizes - spare
    quotas = sizes * (total / sizes.sum())
    taken: np.ndarray = np.minimum(np.floor(quotas).astype(np.int64), most)
    for stratum in np.argsort(taken - quotas, kind="stable"):  # largest remainder first
        if taken.sum() < total and taken[stratum] < most[stratum]:
            taken[stratum] += 1
    return taken


def _counts(units: np.ndarray, strata: Sequence[Sequence[str]]) -> "csr_array":
    """Return (U, S) the examples of each unit in each stratum; examples without a stratum share the stratum ""."""
    from scipy.sparse import csr_array

    pairs = [(unit, name) for unit, names in zip(units, strata, strict=True) for name in names or ("",)]
    rows, names = zip(*pairs, strict=True)
    columns = np.unique(names, return_inverse=True)[1]
    return csr_array((np.ones(len(rows)), (rows, columns)))


def _held_units(
    counts: "csr_array", sizes: np.ndarray, total: int, random: np.random.Generator, spare: int = 1
) -> np.ndarray:
    """Return flags (U,) of held-out units with about `total` examples; none if each unit has all examples of a stratum.

    `counts` (U, S): examples of each unit in each stratum. `sizes` (U,): examples of each unit.

    Iterative stratification (Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10): the stratum with the
    fewest remaining units is filled first, up to its share. The missing examples are then filled by the units that
    bring the strata closest to their shares.
    """
    from scipy.sparse import csc_array

    held = _Held(counts, sizes, total, spare)
    waiting, members = np.ones(len(sizes), dtype=bool), csc_array(counts)
    left = np.bincount(counts.indices, minlength=counts.shape[1])
    while left.any():
        stratum = int(np.where(left > 0, left, len(sizes) + 1).argmin())
        own = members.indices[members.indptr[stratum] : members.indptr[stratum + 1]]
        own = random.permutation(own[waiting[own]])
        for unit in own:
            if held.need[stratum] < 1:
                break
            held.add_within_share(unit, stratum)
        waiting[own] = False
        left -= np.bincount(counts[own].indices, minlength=len(left))
    order = random.permutation(len(sizes))
    while held.room > 0 and held.add_nearest(order):
        pass
    return held.flags


class _Held:
    """The units (U,) that have been held out so far."""

    def __init__(self, counts: "csr_array", sizes: np.ndarray, total: int, spare: int) -> None:
        self.counts, self.sizes, self.room = counts, sizes, total
        self.flags = np.zeros(len(sizes), dtype=bool)
        rows = counts.sum(0)
        self.need = rows * (total / sizes.sum())  # (S,) examples missing to a stratum's share
        self.most = rows - spare  # (S,) examples that can still be held out
        self.squares = counts.power(2).sum(1)  # (U,)

    def add_within_share(self, unit: int, stratum: int) -> None:
        """Add a unit if it fits into the share of this stratum and leaves an example of every other stratum."""
        places = slice(*self.counts.indptr[unit : unit + 2])
        strata, rows = self.counts.indices[places], self.counts.data[places]
        fits = self.sizes[unit] <= self.room and (rows <= self.most[strata]).all()
        if fits and rows[strata == stratum] <= self.need[stratum]:
            self._add(unit)

    def add_nearest(self, order: np.ndarray) -> bool:
        """Add the unit that most reduces the squared distances of the strata to their shares, ties by `order` (U,).

        Returns whether a unit was added.
        """
        from scipy.sparse import csr_array

        beyond = csr_array((self.counts.data > self.most[self.counts.indices], self.counts.indices, self.counts.indptr))
        fits = (self.sizes <= 2 * self.room) | (not self.flags.any())
        possible = ~self.flags & fits & ~(beyond.sum(1) > 0)
        if not possible.any():
            return False
        gains = np.where(possible, 2 * (self.counts @ self.need) - self.squares, -np.inf)
        self._add(order[gains[order].argmax()])
        return True

    def _add(self, unit: int) -> None:
        places = slice(*self.counts.indptr[unit : unit + 2])
        strata, rows = self.counts.indices[places], self.counts.data[places]
        self.need[strata] -= rows
        self.most[strata] -= rows
        self.room -= int(self.sizes[unit])
        self.flags[unit] = True
