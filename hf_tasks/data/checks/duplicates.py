"""A number of 64 bits for each row of some columns: equal rows have equal numbers.

Different rows have different ones but for a chance of n^2 / 2^65 among n rows, 1 in 4 million for 3 million rows.
Rows are read in chunks of Arrow columns and never become Python objects one by one.


Rows that say the same: duplicates and contradictions within a part, leaks between parts."""

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
"""Rows that are in memory at once, at most."""
BYTES = 1 << 24
"""Bytes of them, on average."""


def row_hashes(examples: "Dataset", columns: Sequence[str], unordered: Sequence[str] = ()) -> np.ndarray:
    """(E,) uint64. In columns that are `unordered`, the order of a list's items means nothing."""
    hashes = [
        _combined([_of(table[name], ordered=name not in unordered) for name in columns])
        for table in tables(examples, columns)
    ]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def tables(examples: "Dataset", columns: Sequence[str]) -> Iterator[Any]:
    """The columns as Arrow tables of at most CHUNK rows and about BYTES bytes, each column in one piece."""
    table = examples.select_columns(list(columns)).with_format("arrow")
    mean = table.data.nbytes / max(table.data.num_rows, 1)
    for chunk in table.iter(batch_size=max(1, min(CHUNK, int(BYTES / max(mean, 1))))):
        yield {name: _one_piece(chunk[name]) for name in columns}


def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One hash of two, whose order counts (multiply and shift, as the finalizer of SplitMix64 does)."""
    mixed: np.ndarray = first * np.uint64(0x9E3779B97F4A7C15) + second
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def hashed(values: Any) -> np.ndarray:
    """(N,) uint64 of an Arrow array of texts or numbers."""
    import pyarrow.types
    from pandas.util import hash_array

    if not (pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type)):
        return hash_array(values.cast("float64").to_numpy(zero_copy_only=False))
    coded = values.dictionary_encode(null_encoding="encode")
    different = hash_array(coded.dictionary.to_numpy(zero_copy_only=False), categorize=False)
    coded_hashes: np.ndarray = different[coded.indices.to_numpy()]
    return coded_hashes


def _of(values: Any, *, ordered: bool) -> np.ndarray:
    """(N,) uint64 of an Arrow array of any type."""
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
"""Targets that are sets, however a file lists them."""


@dataclass(frozen=True)
class Hashes:
    """What rows say, as numbers (E,): their input, and input and target together."""

    input: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, split: DataSplit, task: Task) -> "Hashes":
        asked = row_hashes(split.examples, task.traits.compared)
        answered = row_hashes(split.examples, [task.columns.target(split.examples.column_names)], unordered=UNORDERED)
        return cls(asked, mix(asked, answered))


def findings(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    yield from within(splits, hashes, task)
    yield from between(splits, hashes, task)
    yield from groups(splits, task)


def within(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    """Inputs that stand again in their part: with the same target, with another one."""
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
    remedy = "remove them, or they count more than others"
    yield from found("repeat", f"{task.traits.examples} repeated with the same {targets}", remedy, same)


def _contradictions(inputs: np.ndarray, different: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the `different` rows, those whose input stood before (with another target), and where it stood first."""
    _, firsts, inverse = np.unique(inputs[different], return_index=True, return_inverse=True)
    again = np.flatnonzero(firsts[inverse] != np.arange(len(different)))
    return different[again], different[firsts[inverse[again]]]


def between(splits: dict[str, DataSplit], hashes: dict[str, Hashes], task: Task) -> Iterator[Issue]:
    """Inputs that stand in two parts."""
    names, unit = list(splits), task.traits.examples
    for number, one in enumerate(names):
        seen, differ = [], 0
        for other in names[number + 1 :]:
            rows, at = common(hashes[other].input, hashes[one].input)
            seen += _seen(other, splits[other], rows, splits[one], at)
            differ += (
                int((~np.isin(hashes[other].whole[rows], hashes[one].whole)).sum()) if task.traits.one_answer else 0
            )
        remedy = f"remove them from {one}, or scores are not those of unseen {unit}"
        if differ:
            remedy = f"{differ:,} of them have other {task.traits.targets} there; {remedy}"
        yield from found("leak", f"{unit} that are in {one} too", remedy, seen)


def groups(splits: dict[str, DataSplit], task: Task) -> Iterator[Issue]:
    """Rows that share what must not stand in two parts, such as the context of other questions."""
    if not task.traits.group:
        return
    hashes = {name: row_hashes(split.examples, [task.traits.group]) for name, split in splits.items()}
    for one, other in combinations(splits, 2):
        rows, at = common(hashes[other], hashes[one])
        seen = _seen(other, splits[other], rows, splits[one], at)
        text = f"{task.traits.examples} whose {task.traits.group} is in {one} too"
        yield from found("leak", text, f"let each {task.traits.group} stand in one part", seen)


def _seen(name: str, split: DataSplit, rows: np.ndarray, other: DataSplit, others: np.ndarray) -> list[Seen]:
    if not len(rows):
        return []
    return [Seen(f"{len(rows):,} of {len(split):,} in {name}", pairs_of_places(split, rows, other, others))]


def common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places in `one` (N,) of values that `other` (M,) has, and the first place of each in `other`."""
    different, firsts = np.unique(other, return_index=True)
    at = np.searchsorted(different, one)
    at[at == len(different)] = 0
    rows = np.flatnonzero(different[at] == one) if len(different) else np.zeros(0, np.int64)
    return rows, firsts[at[rows]]
