"""Answers: the best (start, end) pairs of a window's logits, the best of an example's windows, the answer or none.

The candidates of a window are the pairs of its `n_best_size` highest start logits and its `n_best_size` highest end
logits, as in run_qa.py of transformers (which took it from Devlin et al. 2019, https://github.com/google-research/bert),
so the n-best lists are the same. Of equal logits the later token ranks first, of equal spans the one with the higher
start, then end: the order of run_qa.py where its sort is stable. A window none of whose candidates is a valid span
gives its best span of all; there run_qa.py has no answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hf_tasks.tasks.question_answering.features import NO_ANSWER
from hf_tasks.tasks.types import EncodedSplit, Features, Prediction

if TYPE_CHECKING:
    from datasets import Dataset

LOWEST = np.float32(-np.inf)
NOTHING = {"text": "", "start": 0, "end": 0, "probability": 0.0}


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
    """The first of `best_spans` alone (B, 1), many times as fast; its score is -inf where `best_spans` is needed:
    where the best span of all is not a candidate, or another one is as good. `start`, `end`: as there."""
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


@dataclass(frozen=True)
class Search:
    n_best_size: int
    max_answer_length: int

    def best(self, outputs: Any, features: Features) -> list[np.ndarray]:
        """For each window (1 + K, 3) numbers: 0, 0 and the score of no answer; start and end characters and score of
        the best spans."""
        return self._items(best_spans, outputs, features)

    def first(self, outputs: Any, features: Features) -> list[np.ndarray]:
        """The same with the very best span alone, many times as fast."""
        items = self._items(first_spans, outputs, features)
        if unsure := [i for i, item in enumerate(items) if len(item) == 1]:
            again = {name: outputs[name][unsure] for name in ("start_logits", "end_logits")}
            columns = {name: [values[i] for i in unsure] for name, values in features.items()}
            for i, item in zip(unsure, self.best(again, columns), strict=True):
                items[i] = item[:2]
        return items

    def _items(self, search: Callable[..., Spans], outputs: Any, features: Features) -> list[np.ndarray]:
        start, end = (outputs[name].float().cpu().numpy() for name in ("start_logits", "end_logits"))  # (B, L)
        where = Windows(*(np.array(features[name], np.int32) for name in ("length", "context_start", "context_end")))
        spans = search(start, end, where, self.n_best_size, self.max_answer_length)
        window, k = np.nonzero(spans.score != LOWEST)  # each (M,)
        places = characters(features["offsets"], where, window, spans.start[window, k], spans.end[window, k])
        found = places[:, 0] < places[:, 1]  # a token may have no characters
        size = 1 + np.bincount(window[found], minlength=len(start))
        null = size.cumsum() - size  # where each item begins
        rows = np.zeros((size.sum(), 3))
        rows[null, 2] = start[:, NO_ANSWER] + end[:, NO_ANSWER]
        rest = np.ones(len(rows), bool)
        rest[null] = False
        rows[rest] = np.column_stack([places, spans.score[window, k]])[found]
        return [rows[begin : begin + n] for begin, n in zip(null.tolist(), size.tolist(), strict=True)]


def characters(
    offsets: Sequence[bytes], where: Windows, window: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """(M, 2) the characters from the first to the last token, each (M,), in their windows (M,); `offsets` as in
    `feature`, of each window."""
    places = np.frombuffer(b"".join(offsets), np.int32).reshape(-1, 2)
    sizes = where.context_end - where.context_start
    token_0 = np.cumsum(sizes) - sizes - where.context_start  # where token 0 of each window would be in `places`
    return np.column_stack([places[first + token_0[window], 0], places[last + token_0[window], 1]])


@dataclass(frozen=True)
class Found:
    """What was found for E examples."""

    spans: Candidates
    """Those of all windows."""
    nulls: np.ndarray
    """(E,) the score of no answer, the least of its windows', as in run_qa.py: all windows must agree that there is
    none."""
    differences: np.ndarray
    """(E,) that score less the best span's, 0 without spans."""

    @classmethod
    def of(cls, items: list[np.ndarray], split: EncodedSplit) -> Self:
        rows = np.concatenate(items)  # (M + N, 3)
        size = np.fromiter(map(len, items), np.int64, len(items))
        of_window, null = np.array(split.features["example"][:]), size.cumsum() - size
        nulls = np.full(len(split.examples), np.inf, np.float32)
        np.minimum.at(nulls, of_window, rows[null, 2].astype(np.float32))
        spans = np.delete(rows, null, axis=0)
        candidates = Candidates(
            spans[:, :2].astype(np.int64), spans[:, 2].astype(np.float32), np.repeat(of_window, size - 1), len(nulls)
        )
        best = candidates.best()
        return cls(candidates, nulls, np.where(best > LOWEST, nulls - best, 0.0).astype(float))


# -- from candidates to the answer


@dataclass(frozen=True)
class AnswerChoice:
    n_best_size: int
    """Answers that a prediction lists."""
    threshold: float | None
    """The null score difference above which there is no answer; None: there always is one."""

    def predictions(self, found: Found, examples: "Dataset") -> list[Prediction]:
        spans = found.spans if self.threshold is None else found.spans.with_empty(found.nulls)
        spans, probabilities = spans.n_best(max(self.n_best_size, 1 if self.threshold is None else 2))
        contexts = examples["context"][:]
        places = zip(spans.example.tolist(), *spans.characters.T.tolist(), probabilities.tolist(), strict=True)
        entries = [{"text": contexts[i][s:e], "start": s, "end": e, "probability": p} for i, s, e, p in places]
        bounds = pairwise(spans.example.searchsorted(np.arange(len(contexts) + 1)).tolist())
        rows = zip(_names(examples), bounds, found.differences.tolist(), strict=True)
        return [{"id": name} | self._prediction(entries[begin:end], diff) for name, (begin, end), diff in rows]

    def _prediction(self, nbest: list[Prediction], difference: float) -> Prediction:
        none = self._refuses(difference)
        chosen = next((entry for entry in nbest if (not entry["text"]) == none), (nbest or [NOTHING])[0])
        row = {"answer": chosen["text"], "start": chosen["start"], "end": chosen["end"], "score": chosen["probability"]}
        if self.threshold is not None:
            row["null_score_diff"] = difference
        return row | {"nbest": nbest}

    def answers(self, found: Found, examples: "Dataset") -> list[Prediction]:
        """Predictions with the same answers and null score differences, and nothing else that no metric reads."""
        best, _ = found.spans.n_best(1)
        differences = found.differences.tolist()
        places = np.zeros((len(differences), 2), np.int64)
        places[best.example] = best.characters
        pairs = zip(examples["context"][:], places.tolist(), strict=True)
        texts = [context[start:end] for context, (start, end) in pairs]
        if self.threshold is None:
            return [{"answer": text} for text in texts]
        return [
            {"answer": "" if self._refuses(diff) else text, "null_score_diff": diff, "nbest": [{"text": text}]}
            for text, diff in zip(texts, differences, strict=True)
        ]

    def _refuses(self, difference: float) -> bool:
        """By the score of no answer less that of the best span."""
        return self.threshold is not None and difference > self.threshold


def _names(examples: "Dataset") -> list[str]:
    """The ids of the examples; their numbers where they have none."""
    if "id" in examples.column_names:
        return list(examples["id"][:])
    return [str(number) for number in range(1, len(examples) + 1)]
