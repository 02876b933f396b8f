"""Answers ranked by the product of their start and end probabilities, as the pipeline of transformers 4 ranked them.

The probabilities of a window are over the tokens of its context and [CLS], which represents no answer. The scores of
equal texts, whatever their case, are added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Window:
    """The logits of one window, and where its context is."""

    start: np.ndarray
    """(L,) float32 start logits."""
    end: np.ndarray
    """(L,) float32 end logits."""
    context_start: int
    """The context's first token in the window."""
    offsets: np.ndarray
    """(T, 2) characters [start, end) of the context's tokens."""
    has_null: bool
    """Whether the window's first token is [CLS]."""


@dataclass(frozen=True)
class Ranking:
    top_k: int = 1
    """Maximum number of answers."""
    max_answer_len: int = 15
    """The longest answer in tokens."""
    handle_impossible_answer: bool = False
    """Whether the empty answer is one of the candidates."""

    def answers(self, context: str, windows: Sequence[Window], words: np.ndarray | None) -> list[dict[str, Any]]:
        """The best answers of a context, best first: score, start, end, answer.

        `words` (W, 2): the characters of words, to which answers are extended; None: answers end where tokens end.
        """
        found: dict[str, dict[str, Any]] = {}
        candidates, null = self.top_k if words is None else 2 * self.top_k + 10, np.inf
        for window in windows:
            start, end, no_answer = _probabilities(window)
            null = min(null, no_answer)
            for first, last, score in _best_spans(start, end, candidates, self.max_answer_len):
                begin, stop = _characters(window.offsets, first, last, words)
                if text := context[begin:stop]:
                    answer = {"score": 0.0, "start": begin, "end": stop, "answer": text}
                    found.setdefault(text.lower(), answer)["score"] += score
        ranked = list(found.values())
        if self.handle_impossible_answer:
            ranked.append({"score": null, "start": 0, "end": 0, "answer": ""})
        return sorted(ranked, key=lambda answer: -answer["score"])[: self.top_k]


def _probabilities(window: Window) -> tuple[np.ndarray, np.ndarray, float]:
    """The probability of each token of the context as the answer's first (T,) and last (T,), and that of no answer."""
    context, null = slice(window.context_start, window.context_start + len(window.offsets)), int(window.has_null)
    start, end = (_softmax(np.concatenate([logits[:null], logits[context]])) for logits in (window.start, window.end))
    return start[null:], end[null:], float(start[0] * end[0]) if null else 0.0


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.exp(logits - logits.max(initial=-np.inf))
    normalized: np.ndarray = weights / weights.sum()
    return normalized


def _best_spans(start: np.ndarray, end: np.ndarray, count: int, longest: int) -> Iterator[tuple[int, int, float]]:
    """The first token, last token and probability of the best spans, best first, of equals the earlier first."""
    longest = min(longest, len(start))
    if not longest:
        return
    ends = np.lib.stride_tricks.sliding_window_view(np.pad(end, (0, longest - 1)), longest)  # (T, longest)
    inside = np.arange(len(start))[:, None] + np.arange(longest) < len(start)
    scores = np.where(inside, start[:, None] * ends, -1).ravel()
    count = min(count, int(inside.sum()))
    best = np.sort(np.argpartition(-scores, count - 1)[:count])
    for place in best[np.argsort(-scores[best], kind="stable")].tolist():
        first, more = divmod(place, longest)
        yield first, first + more, float(scores[place])


def _characters(offsets: np.ndarray, first: int, last: int, words: np.ndarray | None) -> tuple[int, int]:
    """The characters [start, end) of a span; with `words`, of its whole words as far as the window has them."""
    begin, stop = int(offsets[first, 0]), int(offsets[last, 1])
    if words is None or not len(words) or begin >= stop:
        return begin, stop
    first_word, last_word = np.searchsorted(words[:, 0], [begin, stop - 1], side="right") - 1
    begin = max(min(begin, int(words[first_word, 0])), int(offsets[0, 0]))
    return begin, min(max(stop, int(words[last_word, 1])), int(offsets[-1, 1]))
