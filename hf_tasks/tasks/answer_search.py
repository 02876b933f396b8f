"""From the logits of windows to the spans of each question's context that may be its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hf_tasks.tasks.context_windows import NO_ANSWER, characters
from hf_tasks.tasks.examples import Columns, Split
from hf_tasks.tasks.spans import LOWEST, Candidates, Spans, Windows, best_spans, first_spans


@dataclass(frozen=True)
class Search:
    n_best_size: int
    max_answer_length: int

    def best(self, outputs: Any, features: Columns) -> list[np.ndarray]:
        """For each window (1 + K, 3) numbers: 0, 0 and the score of no answer; start and end characters and score of
        the best spans."""
        return self._items(best_spans, outputs, features)

    def first(self, outputs: Any, features: Columns) -> list[np.ndarray]:
        """The same with the very best span alone, many times as fast."""
        items = self._items(first_spans, outputs, features)
        if unsure := [i for i, item in enumerate(items) if len(item) == 1]:
            again = {name: outputs[name][unsure] for name in ("start_logits", "end_logits")}
            columns = {name: [values[i] for i in unsure] for name, values in features.items()}
            for i, item in zip(unsure, self.best(again, columns), strict=True):
                items[i] = item[:2]
        return items

    def _items(self, search: Callable[..., Spans], outputs: Any, features: Columns) -> list[np.ndarray]:
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
    def of(cls, items: list[np.ndarray], split: Split) -> Self:
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
