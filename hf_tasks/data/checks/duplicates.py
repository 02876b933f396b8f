"""Duplicates and contradictions within a split, and leaks between splits.

Examples are compared by hashes of 64 bits, computed on chunks of Arrow columns. The probability that any two different
ones of n examples have the same hash is n^2 / 2^65: 1 in 4 million for 3 million examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.data import DataSplit
from hf_tasks.data.checks.issue import Seen, found, pairs_of_places
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Issue

if TYPE_CHECKING:
    from datasets import Dataset

CHUNK = 1 << 16
"""Maximum number of examples in memory at a time."""
BYTES = 1 << 24
"""Approximate number of bytes in memory at a time."""


def row_hashes(examples: "Dataset", columns: Sequence[str], unordered: Sequence[str] = ()) -> np.ndarray:
    """Return (E,) uint64 hashes of the columns; in `unordered` columns the order of a list's items does not matter."""
    hashes = [
        _combined([_of(table[name], ordered=name not in unordered) for name in columns])
        for table in tables(examples, columns)
    ]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def tables(examples: "Dataset", columns: Sequence[str]) -> Iterator[Any]:
    """Yield the columns as Arrow arrays of at most CHUNK examples and about BYTES bytes, by their names."""
    table = examples.select_columns(list(columns)).with_format("arrow")
    mean = table.data.nbytes / max(table.data.num_rows, 1)
    for chunk in table.iter(batch_size=max(1, min(CHUNK, int(BYTES / max(mean, 1))))):
        yield {name: _one_piece(chunk[name]) for name in columns}


def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Combine two hashes (N,) into one that depends on their order, as the finalizer of SplitMix64 does."""
    mixed: np.ndarray = first * np.uint64(0x9E3779B97F4A7C15) + second
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def hashed(values: Any) -> np.ndarray:
    """Return (N,) uint64 hashes of an Arrow array of strings or numbers."""
    import pyarrow.types
    from pandas.util import hash_array

    if not (pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type)):
        return hash_array(values.cast("float64").to_numpy(zero_copy_only=False))
    coded = values.dictionary_encode(null_encoding="encode")
    different = hash_array(coded.dictionary.to_numpy(zero_copy_only=False), categorize=False)
    coded_hashes: np.ndarray = different[coded.indices.to_numpy()]
    return coded_hashes


def _of(values: Any, *, ordered: bool) -> np.ndarray:
    """Return (N,) uint64 hashes of an Arrow array of any type."""
    import pyarrow.types

    if pyarrow.types.is_struct(values.type):
        return _combined([_of(values.field(i), ordered=ordered) for i in range(values.type.num_fields)])
    if not (pyarrow.types.is_list(values.type) or pyarrow.types.is_large_list(values.type)):
        return hashed(values)
    sizes = values.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    ends = np.cumsum(sizes)
    items = _of(values.flatten(), ordered=ordered)
    if ordered:
        items = mix(items, (np.arange(len(items)) - np.repeat(ends - sizes, sizes)).astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(items, dtype=np.uint64)])  # wraps around
    return mix(sums[ends] - sums[ends - sizes], sizes.astype(np.uint64))


def _combined(hashes: list[np.ndarray]) -> np.ndarray:
    combined = hashes[0]
    for one in hashes[1:]:
        combined = mix(combined, one)
    return combined


def _one_piece(column: Any) -> Any:
    import pyarrow

    piece = column.combine_chunks()
    return pyarrow.concat_arrays(piece.chunks) if isinstance(piece, pyarrow.ChunkedArray) else piece


UNORDERED = ("labels", "answers")
"""Targets that are sets, whose order does not matter."""


@dataclass(frozen=True)
class Hashes:
    """Hashes (E,) of the examples: of the input alone, and of input and target (`whole`)."""

    input: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, split: DataSplit, task: Task) -> "Hashes":
        asked = row_hashes(split.examples, task.traits.compared)
        answered = row_hashes(split.examples, [task.columns.target(split.examples.column_names)], unordered=UNORDERED)
        return cls(asked, mix(asked, answered))


def issues(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    """Yield the issues about repeated inputs within and between splits."""
    yield from within(splits, hashes, task)
    yield from between(splits, hashes, task)
    yield from groups(splits, task)


def within(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    """Yield issues about inputs that are repeated in a split, with the same target or with another one."""
    same, other = [], []
    for name, split in splits.items():
        _, firsts, inverse = np.unique(hashes[name].whole, return_index=True, return_inverse=True)
        again = np.flatnonzero(firsts[inverse] != np.arange(len(split)))
        same += _seen(name, split, again, split, firsts[inverse[again]])
        if task.traits.one_answer or name != "train":
            rows, before = _contradictions(hashes[name].input, np.sort(firsts))
            other += _seen(name, split, rows, split, before)
    targets, remedy = task.traits.targets, "correct them, or remove the rows"
    if not task.traits.one_answer:
        remedy = f"score them as one row with a list of {targets}"
    yield from found("conflict", f"{task.traits.examples} repeated with other {targets}", remedy, other)
    remedy = "remove them; otherwise they count several times"
    yield from found("repeat", f"{task.traits.examples} repeated with the same {targets}", remedy, same)


def _contradictions(inputs: np.ndarray, different: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows among `different` whose input occurred before with another target, and its first rows."""
    _, firsts, inverse = np.unique(inputs[different], return_index=True, return_inverse=True)
    again = np.flatnonzero(firsts[inverse] != np.arange(len(different)))
    return different[again], different[firsts[inverse[again]]]


def between(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    """Yield issues about inputs that are in two splits."""
    names, unit = list(splits), task.traits.examples
    for number, one in enumerate(names):
        seen, differ = [], 0
        for other in names[number + 1 :]:
            rows, at = common(hashes[other].input, hashes[one].input)
            seen += _seen(other, splits[other], rows, splits[one], at)
            differ += (
                int((~np.isin(hashes[other].whole[rows], hashes[one].whole)).sum()) if task.traits.one_answer else 0
            )
        remedy = f"remove them from {one}; otherwise the scores are not those of unseen {unit}"
        if differ:
            remedy = f"{differ:,} of them have other {task.traits.targets} there; {remedy}"
        yield from found("leak", f"{unit} that are also in {one}", remedy, seen)


def groups(splits: dict[str, DataSplit], task: Task) -> Iterator[Issue]:
    """Yield issues about groups in two splits, such as questions about the same context."""
    if not task.traits.group:
        return
    hashes = {name: row_hashes(split.examples, [task.traits.group]) for name, split in splits.items()}
    for one, other in combinations(splits, 2):
        rows, at = common(hashes[other], hashes[one])
        seen = _seen(other, splits[other], rows, splits[one], at)
        text = f"{task.traits.examples} whose {task.traits.group} is also in {one}"
        yield from found("leak", text, f"put each {task.traits.group} into only one split", seen)


def _seen(name: str, split: DataSplit, rows: np.ndarray, other: DataSplit, others: np.ndarray) -> list[Seen]:
    if not len(rows):
        return []
    return [Seen(f"{len(rows):,} of {len(split):,} in {name}", pairs_of_places(split, rows, other, others))]


def common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices in `one` (N,) of the values that are in `other` (M,), and the first index of each there."""
    different, firsts = np.unique(other, return_index=True)
    at = np.searchsorted(different, one)
    at[at == len(different)] = 0
    rows = np.flatnonzero(different[at] == one) if len(different) else np.zeros(0, np.int64)
    return rows, firsts[at[rows]]
