"""The summable forms of the metrics of texts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics import generation
from hf_tasks.metrics.gleu import draws, scores, statistics
from hf_tasks.metrics.summable import Sums, share, with_one

DRAWS = 1_000_000
"""Of references, where there are several: so many for all examples, so that memory stays small."""


def bleu(predictions: list[str], references: list[Any]) -> Sums:
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)
    each = [
        scorer.sentence_score(p, [r] if isinstance(r, str) else r) for p, r in zip(predictions, references, strict=True)
    ]

    def value(row: np.ndarray) -> float:
        counts = row.astype(int).tolist()
        return float(BLEU.compute_bleu(counts[:4], counts[4:8], counts[8], counts[9], smooth_method="exp").score)

    counts = np.array([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in each], float)
    return Sums(counts, lambda s: {"bleu": np.array([value(row) for row in s])})


def chrf(name: str, word_order: int) -> Callable[[list[str], list[Any]], Sums]:
    def counted(predictions: list[str], references: list[Any]) -> Sums:
        counts = np.array(generation.chrf_counts(predictions, references, word_order), float)
        return Sums(counts, lambda s: {name: _chrf(s)})

    return counted


def _chrf(s: np.ndarray, beta: float = 2) -> np.ndarray:
    """For each order, the n-grams of hypotheses and references, and those that match; (R, 3 x orders)."""
    found, expected, right = s[:, ::3], s[:, 1::3], s[:, 2::3]
    both = (found > 0) & (expected > 0)
    orders = np.maximum(both.sum(1), 1)
    precision, recall = ((share(right, whole) * both).sum(1) / orders for whole in (found, expected))
    return 100 * (1 + beta**2) * share(precision * recall, beta**2 * precision + recall)


def ter(predictions: list[str], references: list[Any]) -> Sums:
    counts = np.array(generation.edits_of_each(predictions, references), float)
    return Sums(counts, lambda s: {"ter": np.where(s[:, 1] > 0, 100 * share(*s.T), 100.0 * (s[:, 0] > 0))})


def rouge(predictions: list[str], references: list[Any]) -> Sums:
    kinds = {kind: np.array(values) for kind, values in generation.rouge_of_each(predictions, references).items()}
    return Sums(with_one(*kinds.values()), lambda s: {kind: 100 * s[:, i] / s[:, -1] for i, kind in enumerate(kinds)})


def gleu(predictions: list[str], references: Sequence[Any], sources: Sequence[str]) -> Sums:
    """Of several references, the mean over as many draws as the metric has, or fewer for very many examples."""
    each = statistics(predictions, references, sources)
    drawn = draws([len(rows) for rows in each], at_most=max(1, DRAWS // len(each)))  # (D, E)
    flat, begins = np.concatenate(each), np.cumsum([0, *(len(rows) for rows in each[:-1])])
    counts = np.hstack([flat[begins + places] for places in drawn]).astype(float)  # (E, D x 10)

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        return {"gleu": 100 * scores(s.reshape(len(s), len(drawn), -1)).mean(1)}

    return Sums(counts, values)
