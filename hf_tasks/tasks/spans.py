"""Spans: the best (start, end) pairs of a window's logits, and the best of an example's windows.

The candidates of a window are the pairs of its `n_best_size` highest start logits and its `n_best_size` highest end
logits, as in run_qa.py of transformers (which took it from Devlin et al. 2019, https://github.com/google-research/bert),
so the n-best lists are the same. Of equal logits the later token ranks first, of equal spans the one with the higher
start, then end: the order of run_qa.py where its sort is stable. A window none of whose candidates is a valid span
gives its best span of all; there run_qa.py has no answer.
"""

from dataclasses import dataclass, replace

import numpy as np

LOWEST = np.float32(-np.inf)


@dataclass(frozen=True)
class Windows:
    """Where a batch of B windows has its tokens; each array is (B,) int32, in tokens."""

    length: np.ndarray
    """Real tokens of the window; those after them are padding."""
    context_start: np.ndarray
    context_end: np.ndarray
    """The context is at context_start, ..., context_end - 1."""

    def select(self, rows: np.ndarray) -> "Windows":
        return Windows(self.length[rows], self.context_start[rows], self.context_end[rows])


@dataclass(frozen=True)
class Spans:
    """K spans of a batch of windows, best first; `score` is -inf where a window has fewer. Each array is (B, K)."""

    start: np.ndarray
    end: np.ndarray
    """The last token of the span, not the one after it."""
    score: np.ndarray
    """Start logit + end logit."""


def best_spans(start: np.ndarray, end: np.ndarray, windows: Windows, n_best_size: int, max_answer_length: int) -> Spans:
    """The best spans inside each context, at most `max_answer_length` tokens long; `start`, `end`: float32 logits
    (B, L)."""
    real = _tokens(start) < windows.length[:, None]  # (B, L)
    n = min(n_best_size, start.shape[1])
    starts, ends = (_highest(np.where(real, logits, LOWEST), n) for logits in (start, end))  # (B, n)
    start_scores, end_scores = np.take_along_axis(start, starts, 1), np.take_along_axis(end, ends, 1)
    start_scores[starts < windows.context_start[:, None]] = LOWEST
    end_scores[ends >= windows.context_end[:, None]] = LOWEST
    more = ends[:, None, :] - starts[:, :, None]  # (B, n, n): length less one
    valid = (more >= 0) & (more < max_answer_length)
    scores = np.where(valid, start_scores[:, :, None] + end_scores[:, None, :], LOWEST).reshape(len(start), n * n)
    pair = n * n - 1 - _highest(scores[:, ::-1], min(n_best_size, n * n))  # (B, K)
    spans = Spans(
        np.take_along_axis(starts, pair // n, 1),
        np.take_along_axis(ends, pair % n, 1),
        np.take_along_axis(scores, pair, 1),
    )
    if len(none := np.flatnonzero(spans.score[:, 0] == LOWEST)):
        found, _ = _best_of_all(start[none], end[none], windows.select(none), max_answer_length)
        spans.start[none, :1], spans.end[none, :1], spans.score[none, :1] = found.start, found.end, found.score
    return spans


def _highest(values: np.ndarray, k: int) -> np.ndarray:
    """(B, k) the places of the highest float32 values (B, L) in each row, highest first, of equals the last first."""
    bits = (values + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0
    ordered = bits ^ (bits >> 31 & 0x7FFFFFFF)  # as integers in the order of the numbers
    keys = (ordered.astype(np.int64) << 32) | np.arange(values.shape[1])  # no two are equal
    keys = np.sort(np.partition(keys, -k, axis=1)[:, -k:], axis=1)[:, ::-1]
    return keys & 0xFFFFFFFF


def first_spans(
    start: np.ndarray, end: np.ndarray, windows: Windows, n_best_size: int, max_answer_length: int
) -> Spans:
    """The first of `best_spans` alone (B, 1), many times as fast; its score is -inf where only `best_spans` can tell:
    where the best span of all is no candidate, or another one is as good. `start`, `end`: as there."""
    spans, alone = _best_of_all(start, end, windows, max_answer_length)
    rows, real = np.arange(len(start)), _tokens(start) < windows.length[:, None]  # (B, L)
    for logits, token in ((start, spans.start), (end, spans.end)):
        as_high = (logits >= logits[rows, token[:, 0]][:, None]) & real
        spans.score[~alone | (as_high.sum(axis=1, dtype=np.int32) > n_best_size)] = LOWEST
    return spans


def _best_of_all(
    start: np.ndarray, end: np.ndarray, windows: Windows, max_answer_length: int
) -> tuple[Spans, np.ndarray]:
    """The best of all spans of each window (B, 1); and whether no other start is as good (B,)."""
    (size, length), rows = start.shape, np.arange(len(start))
    longest = min(max_answer_length, length)
    ends = np.full((size, length + longest - 1), LOWEST)
    np.copyto(ends[:, :length], end, where=_tokens(end) < windows.context_end[:, None])
    highest, seen = ends, 1  # the highest of each end and the seen - 1 ones after it
    while seen < longest:
        step = min(seen, longest - seen)
        highest, seen = np.maximum(highest[:, :-step], highest[:, step:]), seen + step
    scores = start + highest  # (B, L)
    np.copyto(scores, LOWEST, where=_tokens(start) < windows.context_start[:, None])
    first, mirrored = scores.argmax(axis=1), scores[:, ::-1].argmax(axis=1)
    ahead = ends[rows[:, None], first[:, None] + np.arange(longest)[::-1]]  # (B, longest): last token first
    last = first + longest - 1 - ahead.argmax(axis=1)
    return Spans(first[:, None], last[:, None], scores[rows, first][:, None]), first + mirrored == length - 1


def _tokens(logits: np.ndarray) -> np.ndarray:
    """(L,)"""
    return np.arange(logits.shape[1], dtype=np.int32)


# -- from windows to examples


@dataclass(frozen=True)
class Candidates:
    """M spans of E examples."""

    characters: np.ndarray
    """(M, 2) characters [start, end) of the context."""
    score: np.ndarray
    """(M,)"""
    example: np.ndarray
    """(M,) in 0, ..., E - 1"""
    examples: int
    """E"""

    def select(self, rows: np.ndarray) -> "Candidates":
        return replace(self, characters=self.characters[rows], score=self.score[rows], example=self.example[rows])

    def with_empty(self, score: np.ndarray) -> "Candidates":
        """An empty span more for each example, with the scores (E,)."""
        none = np.zeros((self.examples, 2), self.characters.dtype)
        return Candidates(
            np.concatenate([self.characters, none]),
            np.concatenate([self.score, score]),
            np.concatenate([self.example, np.arange(self.examples)]),
            self.examples,
        )

    def best(self) -> np.ndarray:
        """The highest score of each example (E,), -inf where it has no span."""
        best = np.full(self.examples, -np.inf, self.score.dtype)
        np.maximum.at(best, self.example, self.score)
        return best

    def n_best(self, n: int) -> tuple["Candidates", np.ndarray]:
        """The n best spans of each example and, wherever it ranks, the empty one: by example, best first, the earlier
        of equals first; and the softmax of the scores over the n-best of an example (M,)."""
        ranked = self.select(np.lexsort((-self.score, self.example)))
        rank = np.arange(len(ranked.example)) - ranked.example.searchsorted(ranked.example)
        empty = ranked.characters[:, 0] == ranked.characters[:, 1]
        chosen = ranked.select((rank < n) | empty)
        weight = np.exp((chosen.score - chosen.best()[chosen.example]).astype(np.float64))
        return chosen, weight / np.bincount(chosen.example, weight, self.examples)[chosen.example]
