"""Near-duplicates between splits: inputs that differ in case, punctuation or one or two words.

Two inputs are near-duplicates if the Jaccard similarity of their words and word bigrams is at least SIMILAR in each
of the compared columns. The search is exact: sets with this similarity share one of the rarest items of either (prefix
filter, Bayardo et al. 2007, https://doi.org/10.1145/1242572.1242591), and every such pair is compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core.progress import progress
from hf_tasks.data import DataSplit
from hf_tasks.data.checks.duplicates import hashed, mix, tables
from hf_tasks.data.checks.issue import Seen, found, pairs_of_places
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Issue

if TYPE_CHECKING:
    from datasets import Dataset

SIMILAR = 0.8
"""Jaccard similarity of words and word bigrams from which two texts are near-duplicates."""
MOST_TESTED = 20_000
"""Maximum number of examples of validation or test that are compared; more are sampled."""
MOST_SEARCHED = 1_000_000
"""Maximum number of examples of train that are searched; more are sampled."""
AT_ONCE = 1 << 22
"""Numbers in memory at a time while pairs are compared."""
ROW = np.uint64(46)
"""An item has 46 bits; the bits above them are its row."""
COLUMN = np.uint64(2)
"""Number of low bits of an item that hold its column."""
NOT_WORD = r"[^\pL\pN\pM]+"
SINGLE_CHARACTERS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])"
"""Characters of scripts without blanks, each of which counts as a word."""


@dataclass(frozen=True)
class Sets:
    """The items (words and word bigrams) in all compared columns of N rows."""

    keys: np.ndarray
    """(M,) uint64, sorted and unique: row << 46 | item."""
    sizes: np.ndarray
    """(N, columns) number of items."""

    @property
    def rows(self) -> np.ndarray:
        return (self.keys >> ROW).astype(np.int64)

    @property
    def items(self) -> np.ndarray:
        return self.keys & np.uint64((1 << 46) - 1)


def near(splits: dict[str, DataSplit], exact: dict[str, np.ndarray], task: Task, seed: int) -> Iterator[Issue]:
    """Yield an issue for near-duplicates of train in other splits; `exact` (E,) flags exact duplicates to skip."""
    from datasets import concatenate_datasets

    if not exact:
        return
    train, seen = splits["train"], list[Seen]()
    searched = _sample(np.arange(len(train)), MOST_SEARCHED, seed)
    kinds = train.examples.features
    columns = [name for name in task.traits.compared if getattr(kinds[name], "dtype", "string") == "string"]
    among = f"{len(searched):,} sampled rows of " if len(searched) < len(train) else ""
    tested = {name: _sample(np.flatnonzero(~known), MOST_TESTED, seed) for name, known in exact.items()}
    texts = [splits[name].examples.select_columns(columns).select(rows) for name, rows in tested.items()]
    found_at = search(concatenate_datasets(texts), train.examples.select(searched), columns)
    ends = np.cumsum([len(rows) for rows in tested.values()])
    for (name, rows), near in zip(tested.items(), np.split(found_at, ends[:-1]), strict=True):
        if len(hits := np.flatnonzero(near >= 0)):
            drawn = " sampled" if len(rows) < (~exact[name]).sum() else ""
            places = pairs_of_places(splits[name], rows[hits], train, searched[near[hits]])
            seen.append(Seen(f"{len(hits):,} of {len(rows):,}{drawn} in {name}", places))
    text = f"{task.traits.examples} that are nearly in {among}train (word similarity of at least {SIMILAR})"
    yield from found("near leak", text, "remove them from train; otherwise test scores are inflated", seen)


def search(tested: "Dataset", searched: "Dataset", columns: Sequence[str]) -> np.ndarray:
    """Return (E,) a row of `searched` that is a near-duplicate of each row of `tested` (at most 2^18), or -1."""
    found = np.full(len(tested), -1)
    if not len(tested):
        return found
    index = Index(_joined([sets(table, columns) for table in tables(tested, columns)]))
    begin = 0
    with progress(len(searched), "Near-duplicates", "rows", delay=2) as bar:
        for table in tables(searched, columns):
            mine = sets(table, columns)
            index.find(mine, found, begin)
            begin += len(mine.sizes)
            bar.update(len(mine.sizes))
    return found


def sets(table: dict[str, Any], columns: Sequence[str]) -> Sets:
    """Return the items of at most CHUNK rows."""
    keys, sizes = [], []
    for number, name in enumerate(columns):
        rows, hashes = _items(table[name])
        items = ((hashes >> np.uint64(20)) << COLUMN) | np.uint64(number)
        unique = np.sort((rows.astype(np.uint64) << ROW) | items)
        unique = unique[np.diff(unique, prepend=~unique[:1]) != 0]
        sizes.append(np.bincount((unique >> ROW).astype(np.int64), minlength=len(table[name])))
        keys.append(unique)
    return Sets(keys[0] if len(keys) == 1 else np.sort(np.concatenate(keys)), np.stack(sizes, axis=1))


class Index:
    """Inverted index of the rarest items of some rows.

    An item's rank is its position among all items by the number of rows that have it, the rarest first; unknown items
    have rank -1.
    """

    def __init__(self, indexed: Sets) -> None:
        self.sizes = indexed.sizes
        self.vocabulary, inverse, count = np.unique(indexed.items, return_inverse=True, return_counts=True)
        by_count = np.argsort(count, kind="stable")
        self.rank = np.empty(len(count), np.int64)
        self.rank[by_count] = np.arange(len(count))
        self.column = (self.vocabulary[by_count] & np.uint64(3)).astype(np.int64)
        self.keys = np.sort(indexed.rows * len(count) + self.rank[inverse])  # (M,) row and rank
        rows, ranks = np.divmod(self.keys, max(len(count), 1))
        first = _in_prefix(rows, self.sizes.sum(axis=1))
        order = np.argsort(ranks[first], kind="stable")
        self.posted = rows[first][order]  # the rows that have an item among their rarest, item by item
        self.begins = np.searchsorted(ranks[first][order], np.arange(len(count) + 1))

    def find(self, mine: Sets, found: np.ndarray, begin: int) -> None:
        """Set `found`, where it is -1, to begin + a row of `mine` that is a near-duplicate of the indexed row."""
        place = np.searchsorted(self.vocabulary, mine.items)
        place[place == len(self.vocabulary)] = 0
        known = self.vocabulary[place] == mine.items if len(self.vocabulary) else np.zeros(len(place), bool)
        ranks, rows = np.where(known, self.rank[place], -1) if len(self.rank) else place, mine.rows
        width = len(self.rank) + 1
        rows, ranks = np.divmod(np.sort(rows * width + ranks + 1), width)
        first = _in_prefix(rows, mine.sizes.sum(axis=1)) & (ranks > 0)
        has = ranks > 0
        lists = np.searchsorted(rows[has], np.arange(len(mine.sizes) + 1))
        for other, row in self._candidates(rows[first], ranks[first] - 1, mine, found):
            shared = self._shared(other, row, ranks[has] - 1, lists)
            union = self.sizes[other] + mine.sizes[row] - shared
            near = (shared >= SIMILAR * union - 1e-9).all(axis=1)
            found[other[near][::-1]] = begin + row[near][::-1]

    def _candidates(
        self, rows: np.ndarray, ranks: np.ndarray, mine: Sets, found: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs (indexed rows, rows of `mine`) that share one of their rarest items and have similar lengths."""
        sizes, own = self.sizes.sum(axis=1), mine.sizes.sum(axis=1)
        lengths = self.begins[ranks + 1] - self.begins[ranks]
        for piece in _slices(lengths, AT_ONCE):
            at = np.repeat(self.begins[ranks[piece]], lengths[piece]) + _ranges(lengths[piece])
            other, row = self.posted[at], np.repeat(rows[piece], lengths[piece])
            small, large = np.minimum(sizes[other], own[row]), np.maximum(sizes[other], own[row])
            fits = (small >= SIMILAR * large) & (found[other] < 0)
            row, other = np.divmod(np.unique(row[fits] * len(sizes) + other[fits]), len(sizes))
            for some in _slices(own[row], AT_ONCE):
                yield other[some], row[some]

    def _shared(self, other: np.ndarray, row: np.ndarray, ranks: np.ndarray, lists: np.ndarray) -> np.ndarray:
        """Return (P, columns) the number of items that each pair shares; row r has ranks[lists[r] : lists[r + 1]]."""
        lengths = lists[row + 1] - lists[row]
        of = ranks[np.repeat(lists[row], lengths) + _ranges(lengths)]
        wanted = np.repeat(other, lengths) * len(self.rank) + of
        place = np.searchsorted(self.keys, wanted)
        place[place == len(self.keys)] = 0
        columns = self.sizes.shape[1]
        hits = (np.repeat(np.arange(len(row)), lengths) * columns + self.column[of])[self.keys[place] == wanted]
        return np.bincount(hits, minlength=len(row) * columns).reshape(-1, columns)


def _in_prefix(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (M,) whether each item, sorted by row and rank, is in its row's prefix, which similar rows share."""
    enough = sizes - np.ceil(SIMILAR * sizes - 1e-9).astype(np.int64) + 1
    begins = np.cumsum(sizes) - sizes
    inside: np.ndarray = np.arange(len(rows)) - begins[rows] < enough[rows]
    return inside


def _slices(lengths: np.ndarray, most: int) -> Iterator[slice]:
    """Yield consecutive slices whose lengths sum to about `most`."""
    ends = np.cumsum(lengths)
    begin = 0
    while begin < len(lengths):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(begin, end)
        begin = end


def _ranges(lengths: np.ndarray) -> np.ndarray:
    """Return the concatenation of range(length) for each length."""
    ends = np.cumsum(lengths)
    ranges: np.ndarray = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return ranges


def _items(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, hashes) of the words and word bigrams of texts or of lists of words."""
    import pyarrow.compute as pc
    import pyarrow.types

    if pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type):
        plain = pc.utf8_lower(values)
        if not pc.all(pc.string_is_ascii(plain)).as_py():
            plain = pc.replace_substring_regex(plain, SINGLE_CHARACTERS, r" \1 ")
        values = pc.split_pattern(pc.replace_substring_regex(plain, NOT_WORD, " "), " ")
    words = pc.utf8_lower(values.flatten())
    rows = np.repeat(np.arange(len(values)), values.value_lengths().fill_null(0).to_numpy())
    real = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
    hashes, rows = hashed(words)[real], rows[real]
    together = rows[1:] == rows[:-1]
    pairs = mix(hashes[:-1], hashes[1:])[together]
    return np.concatenate([rows, rows[1:][together]]), np.concatenate([hashes, pairs])


def _joined(several: list[Sets]) -> Sets:
    begins = np.cumsum([0, *(len(one.sizes) for one in several)])[:-1].astype(np.uint64)
    keys = [one.keys + (begin << ROW) for one, begin in zip(several, begins, strict=True)]
    return Sets(np.concatenate(keys), np.concatenate([one.sizes for one in several]))


def _sample(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return a random sample of at most `most` rows, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
