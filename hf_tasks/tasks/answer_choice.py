"""From what was found for each question to its answer, or to none."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.tasks.answer_search import Found
from hf_tasks.tasks.examples import Row

if TYPE_CHECKING:
    from datasets import Dataset

NOTHING = {"text": "", "start": 0, "end": 0, "probability": 0.0}


@dataclass(frozen=True)
class Choice:
    n_best_size: int
    """Answers that a prediction lists."""
    threshold: float | None
    """The null score difference above which there is no answer; None: there always is one."""

    def predictions(self, found: Found, examples: "Dataset") -> list[Row]:
        spans = found.spans if self.threshold is None else found.spans.with_empty(found.nulls)
        spans, probabilities = spans.n_best(max(self.n_best_size, 1 if self.threshold is None else 2))
        contexts = examples["context"][:]
        places = zip(spans.example.tolist(), *spans.characters.T.tolist(), probabilities.tolist(), strict=True)
        entries = [{"text": contexts[i][s:e], "start": s, "end": e, "probability": p} for i, s, e, p in places]
        bounds = pairwise(spans.example.searchsorted(np.arange(len(contexts) + 1)).tolist())
        rows = zip(_names(examples), bounds, found.differences.tolist(), strict=True)
        return [{"id": name} | self._prediction(entries[begin:end], diff) for name, (begin, end), diff in rows]

    def _prediction(self, nbest: list[Row], difference: float) -> Row:
        none = self._refuses(difference)
        chosen = next((entry for entry in nbest if (not entry["text"]) == none), (nbest or [NOTHING])[0])
        row = {"answer": chosen["text"], "start": chosen["start"], "end": chosen["end"], "score": chosen["probability"]}
        if self.threshold is not None:
            row["null_score_diff"] = difference
        return row | {"nbest": nbest}

    def answers(self, found: Found, examples: "Dataset") -> list[Row]:
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
