"""Metrics of sentence embeddings: average precision and F1 of pairs, accuracy of triplets, ranks in retrieval.

similarities    the cosine of each pair
margins         of each example, the cosine of anchor and positive minus the highest one of anchor and negatives
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks.metrics.metric import Metric, Statistics, Sums, Value, Values, means, share

POSITIVE = "1"
"""The label of pairs that mean the same."""
CUTOFFS = (1, 5, 10)
"""Numbers of results at which recall is measured."""


@dataclass(frozen=True)
class PrecisionAtRanks(Statistics):
    """Average precision. No sum over examples gives it: each resample has ranks of its own."""

    scores: np.ndarray
    positive: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def table(self) -> np.ndarray:
        return np.stack([self.scores, self.positive], axis=1)

    def values(self, weights: np.ndarray) -> Values:
        """The mean over the positive pairs of the precision among the pairs with at least their score."""
        if not len(self):
            return {"average_precision": np.full(len(weights), np.nan)}
        order = np.argsort(-self.scores, kind="stable")
        last = np.flatnonzero(np.diff(self.scores[order], append=-np.inf))  # of each group of equal scores
        found = (weights * self.positive)[:, order].cumsum(1)[:, last]
        precision = share(found, weights[:, order].cumsum(1)[:, last])
        gained = np.diff(found, axis=1, prepend=0)
        return {"average_precision": share((gained * precision).sum(1), found[:, -1], of_nothing=np.nan)}

    def exchanged(self, other: "PrecisionAtRanks", tosses: np.ndarray) -> Values:
        drawn = np.where(tosses, other.scores, self.scores)
        one = np.ones((1, len(self)))
        return {
            "average_precision": np.concatenate(
                [PrecisionAtRanks(scores, self.positive).values(one)["average_precision"] for scores in drawn]
            )
        }

    def take(self, rows: np.ndarray) -> "PrecisionAtRanks":
        return PrecisionAtRanks(self.scores[rows], self.positive[rows])


def _average_precision(
    predictions: Sequence[Any], references: Sequence[str], similarities: Sequence[float]
) -> PrecisionAtRanks:
    return PrecisionAtRanks(np.array(similarities, float), np.array([one == POSITIVE for one in references], float))


def _positive_f1(predictions: Sequence[str], references: Sequence[str]) -> Sums:
    found, true = (np.array([one == POSITIVE for one in side], float) for side in (predictions, references))
    counts = np.stack([found * true, found, true], axis=1).reshape(-1, 3)
    return Sums(counts, lambda s: {"positive_f1": share(2 * s[:, 0], s[:, 1] + s[:, 2])})


def _triplet_accuracy(predictions: Sequence[Any], references: Sequence[Any], margins: Sequence[float]) -> Sums:
    return means({"triplet_accuracy": np.array(margins, float) > 0})


def _retrieval(predictions: Sequence[int], references: Sequence[int]) -> Sums:
    """Of the rank of each anchor's positive; 1 is the first."""
    ranks = np.array(predictions, float)
    top = ranks <= 10
    return means(
        {"mrr@10": top / ranks, "ndcg@10": top / np.log2(1 + ranks)} | {f"recall@{k}": ranks <= k for k in CUTOFFS}
    )


average_precision = Metric(
    {"average_precision": Value("mean over the positive pairs of the precision among pairs at least as similar")},
    _average_precision,
    of_table=lambda table: PrecisionAtRanks(*table.T),
)
positive_f1 = Metric(
    {"positive_f1": Value("F1, the harmonic mean of precision and recall, of the positive pairs", "f1")}, _positive_f1
)
triplet_accuracy = Metric(
    {
        "triplet_accuracy": Value(
            "share of anchors that are closer to their positive than to all their negatives",
            "accuracy",
            proportion=True,
        )
    },
    _triplet_accuracy,
)
retrieval = Metric(
    {
        "mrr@10": Value("mean of 1 / rank of the positive among all texts of the split, 0 behind rank 10", "mrr"),
        "ndcg@10": Value("mean of 1 / log2(1 + rank of the positive), 0 behind rank 10", "ndcg"),
        **{
            f"recall@{k}": Value(f"share of anchors whose positive is among the {k} nearest texts", proportion=True)
            for k in CUTOFFS
        },
    },
    _retrieval,
)
