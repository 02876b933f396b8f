"""Counts of the n-grams of many texts, and of those that any two texts share, without a loop over pairs.

The clipped count of two texts, the sum over n-grams g of min(count of g in one, count of g in the other), is the inner
product of two binary vectors indexed by (g, k) that say "g occurs at least k times". So the counts of all pairs of H
hypotheses and R references are one matrix product: time O(H R F) for F features, exact in float32 up to 2^24.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Tokens = tuple[Ints, Ints]
"""The token ids of T texts, one text after the other, and (T,) the texts' lengths."""

LARGEST_ID = 2**62
BLOCK = 4096
"""Features in one matrix product: bounds the memory, and fits the processor's cache."""


@dataclass(frozen=True)
class Counts:
    """How often each n-gram of one order occurs in each of T texts.

    ngram, text, count    (N,) one entry for each n-gram that a text has, sorted by n-gram; n-grams are 0, 1, 2 ...
    totals                (T,) n-grams of each text
    """

    ngram: Ints
    text: Ints
    count: Ints
    totals: Ints


@dataclass(frozen=True)
class Overlap:
    """Clipped counts (H, R) of one order, with the numbers of n-grams in the hypotheses (H,) and references (R,)."""

    matches: Floats
    hypotheses: Floats
    references: Floats


def overlaps(
    hypotheses: Sequence[str], references: Sequence[str], tokens: Callable[[Sequence[str]], Tokens], max_order: int
) -> Iterator[Overlap]:
    """What each hypothesis and each reference share, for the orders 1 to `max_order`."""
    n, same = len(hypotheses), hypotheses == references
    for order in ngram_counts(tokens(hypotheses if same else [*hypotheses, *references]), max_order):
        totals = order.totals.astype(float)
        yield Overlap(_matches(order, None if same else n), totals[:n], totals if same else totals[n:])


def words(texts: Sequence[Sequence[str]]) -> Tokens:
    """Texts that are split into words."""
    ids: dict[str, int] = {}
    numbers = [ids.setdefault(word, len(ids)) for text in texts for word in text]
    return np.array(numbers, np.int64), _lengths(texts)


def characters(texts: Sequence[str]) -> Tokens:
    """Texts as characters, without blanks."""
    dense = ["".join(text.split()) for text in texts]
    codes = np.frombuffer("".join(dense).encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.searchsorted(np.unique(codes), codes), _lengths(dense)


def ngram_counts(tokens: Tokens, max_order: int) -> Iterator[Counts]:
    """The counts of the orders 1 to `max_order`. Time O(N log N) for each, with N tokens in all."""
    ids, lengths = tokens
    texts = np.repeat(np.arange(len(lengths)), lengths)
    n_words = n_ngrams = int(ids.max(initial=0)) + 1
    ngrams = ids
    for order in range(1, max_order + 1):
        if order > 1:
            if n_ngrams * n_words * len(lengths) > LARGEST_ID:
                distinct, ngrams = np.unique(ngrams, return_inverse=True)
                n_ngrams = len(distinct)
            ngrams, n_ngrams = ngrams[:-1] * n_words + ids[order - 1 :], n_ngrams * n_words
        text = texts[: len(ngrams)]
        within = text == texts[order - 1 :]
        yield _counted((ngrams * len(lengths) + text)[within], lengths, order)


def _counted(occurrences: Ints, lengths: Ints, order: int) -> Counts:
    """`occurrences` holds n-gram id * T + text for each n-gram of each text."""
    occurrences.sort()
    first = np.flatnonzero(np.diff(occurrences, prepend=-1))
    ngram, text = np.divmod(occurrences[first], len(lengths))
    count = np.diff(first, append=len(occurrences))
    return Counts(np.cumsum(np.diff(ngram, prepend=-1) > 0) - 1, text, count, np.maximum(lengths - order + 1, 0))


def _matches(counts: Counts, n_hypotheses: int | None) -> Floats:
    """Clipped counts (H, R) of the first `n_hypotheses` texts and the others; None: of all texts with each other."""
    feature, text, n_features = _features(counts)
    left = text < n_hypotheses if n_hypotheses is not None else None
    if left is None:  # a feature of one text alone counts for that text with itself: see the diagonal below
        shared = np.bincount(feature, minlength=n_features) > 1
    else:
        shared = np.bincount(feature[left], minlength=n_features) > 0
        shared &= np.bincount(feature[~left], minlength=n_features) > 0
    kept = shared[feature]
    row, text = (np.cumsum(shared) - 1)[feature[kept]], text[kept]
    n_texts = len(counts.totals)
    hypotheses, references = slice(n_hypotheses), slice(n_hypotheses or 0, None)
    matches = np.zeros((n_texts, n_texts), np.float32)[hypotheses, references]
    n_shared = int(shared.sum())
    for start in range(0, n_shared, BLOCK):
        here = (row >= start) & (row < start + BLOCK)
        occurs = np.zeros((min(BLOCK, n_shared - start), n_texts), np.float32)
        occurs[row[here] - start, text[here]] = 1
        matches += occurs[:, hypotheses].T @ occurs[:, references]
    if left is None:
        np.fill_diagonal(matches, counts.totals)
    return matches.astype(float)


def _features(counts: Counts) -> tuple[Ints, Ints, int]:
    """(feature, text, number of features): the entries of the binary matrix "n-gram g occurs at least k times"."""
    if not len(counts.ngram):
        return counts.ngram, counts.text, 0
    most = np.maximum.reduceat(counts.count, np.flatnonzero(np.diff(counts.ngram, prepend=-1)))
    offset = (np.cumsum(most) - most)[counts.ngram] - (np.cumsum(counts.count) - counts.count)
    feature = np.repeat(offset, counts.count) + np.arange(counts.count.sum())
    return feature, np.repeat(counts.text, counts.count), int(most.sum())


def _lengths(texts: Sequence[Any]) -> Ints:
    return np.fromiter(map(len, texts), np.int64, len(texts))
