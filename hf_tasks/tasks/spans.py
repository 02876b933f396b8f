"""Spans: the best (start, end) pairs of a window's logits, and the best of an example's windows.

The candidates of a window are the pairs of its `n_best_size` highest start logits and its `n_best_size` highest end
logits, as in run_qa.py of transformers (which took it from Devlin et al. 2019, https://github.com/google-research/bert),
so the n-best lists are the same. A window none of whose candidates is a valid span gives its best span of all; there
run_qa.py has no answer.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Where a batch of B windows has its tokens; each array is (B,), in tokens."""

    length: np.ndarray
    """Real tokens of the window; those after them are padding."""
    context_start: np.ndarray
    context_end: np.ndarray
    """The context is at context_start, ..., context_end - 1."""


@dataclass(frozen=True)
class Spans:
    """K spans of a batch of windows, best first; `score` is -inf where a window has fewer. Each array is (B, K)."""

    start: np.ndarray
    end: np.ndarray
    """The last token of the span, not the one after it."""
    score: np.ndarray
    """Start logit + end logit."""


def best_spans(start: "Tensor", end: "Tensor", windows: Windows, n_best_size: int, max_answer_length: int) -> Spans:
    """The best spans inside each context, at most `max_answer_length` tokens long; `start`, `end`: logits (B, L)."""
    import torch

    length, first, stop = (torch.from_numpy(column).to(start.device)[:, None] for column in vars(windows).values())
    padding = torch.arange(start.shape[1], device=start.device) >= length  # (B, L)
    start, end = start.masked_fill(padding, -torch.inf), end.masked_fill(padding, -torch.inf)
    n = min(n_best_size, start.shape[1])
    start_scores, starts = start.topk(n)  # (B, n)
    end_scores, ends = end.topk(n)
    valid = (starts >= first)[:, :, None] & (ends < stop)[:, None, :] & (starts[:, :, None] <= ends[:, None, :])
    valid &= ends[:, None, :] < starts[:, :, None] + max_answer_length  # (B, n, n)
    scores = (start_scores[:, :, None] + end_scores[:, None, :]).masked_fill(~valid, -torch.inf)
    score, pair = scores.flatten(1).topk(min(n_best_size, n * n))  # (B, K)
    spans = Spans(
        starts.gather(1, pair // n).cpu().numpy(), ends.gather(1, pair % n).cpu().numpy(), score.cpu().numpy()
    )
    _mend(spans, start.cpu().numpy(), end.cpu().numpy(), windows, max_answer_length)
    return spans


def first_spans(
    start: np.ndarray, end: np.ndarray, windows: Windows, n_best_size: int, max_answer_length: int
) -> Spans:
    """The first of `best_spans` alone, (B, 1), several times as fast; `start`, `end`: logits (B, L)."""
    if windows.length.min() < start.shape[1]:
        padding = np.arange(start.shape[1]) >= windows.length[:, None]  # (B, L)
        start, end = (np.where(padding, np.float32(-np.inf), logits) for logits in (start, end))
    n = min(n_best_size, start.shape[1])
    starts, ends = (np.argpartition(logits, -n, axis=1)[:, -n:] for logits in (start, end))  # (B, n)
    start_scores, end_scores = np.take_along_axis(start, starts, 1), np.take_along_axis(end, ends, 1)
    start_scores[starts < windows.context_start[:, None]] = -np.inf
    end_scores[ends >= windows.context_end[:, None]] = -np.inf
    more = ends.astype(np.int32)[:, None, :] - starts.astype(np.int32)[:, :, None]  # (B, n, n): length less one
    valid = more.view(np.uint32) < max_answer_length
    scores = np.where(valid, start_scores[:, :, None] + end_scores[:, None, :], -np.inf).reshape(len(start), -1)
    best = scores.argmax(axis=1)[:, None]
    spans = Spans(
        np.take_along_axis(starts, best // n, 1),
        np.take_along_axis(ends, best % n, 1),
        np.take_along_axis(scores, best, 1).astype(np.float32),
    )
    _mend(spans, start, end, windows, max_answer_length)
    return spans


def _mend(spans: Spans, start: np.ndarray, end: np.ndarray, windows: Windows, max_answer_length: int) -> None:
    """Give the windows that have no span their best one of all; `start`, `end`: logits (B, L)."""
    for row in np.flatnonzero(np.isneginf(spans.score[:, 0]) & (windows.context_start < windows.context_end)):
        context = slice(windows.context_start[row], windows.context_end[row])
        begin, last, spans.score[row, 0] = best_span(start[row, context], end[row, context], max_answer_length)
        spans.start[row, 0], spans.end[row, 0] = begin + context.start, last + context.start


def best_span(start: np.ndarray, end: np.ndarray, max_answer_length: int) -> tuple[int, int, float]:
    """(first, last, score): the best of all spans of at most `max_answer_length` tokens; `start`, `end`: (C,)."""
    width = min(max_answer_length, len(end))
    padded = np.concatenate([end, np.full(width - 1, -np.inf, end.dtype)])
    band = np.lib.stride_tricks.sliding_window_view(padded, width)  # (C, width): the ends that each start may have
    scores = start + band.max(axis=1)
    first = int(scores.argmax())
    return first, first + int(band[first].argmax()), float(scores[first])


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
