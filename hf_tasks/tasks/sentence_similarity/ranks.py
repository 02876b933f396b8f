"""Embeddings of a split to cosines, and to the rank of each anchor's positive among all texts of the split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.tasks.types import Example, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK = 512
"""Anchors whose cosines to all texts are in memory at a time."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors (..., H) scaled to length 1; a zero vector stays."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


def cosine(pair: np.ndarray) -> float:
    """Of the first two vectors of (T, H)."""
    first, second = unit(pair[:2].astype(np.float64))
    return float(np.clip(first @ second, -1, 1))


def ranked(examples: Sequence[Example], items: Sequence[np.ndarray]) -> list[Prediction]:
    """Of each example with its vectors (T, H): the cosines of anchor and positive, and of anchor and negatives, and the
    positive's rank among all positives and negatives of the examples.

    Other positives of the same anchor do not count, nor does the anchor itself. Equal cosines count against it.
    """
    anchors: dict[str, np.ndarray] = {}
    documents: dict[str, np.ndarray] = {}
    positives: dict[str, set[str]] = {}
    for example, vectors in zip(examples, items, strict=True):
        anchors.setdefault(example["anchor"], vectors[0])
        positives.setdefault(example["anchor"], set()).add(example["positive"])
        for text, vector in zip((example["positive"], *example.get("negatives", ())), vectors[1:], strict=True):
            documents.setdefault(text, vector)
    place = {text: i for i, text in enumerate(documents)}
    vectors = unit(np.stack(list(documents.values())).astype(np.float32))
    ranks: dict[tuple[str, str], int] = {}
    names = list(anchors)
    for start in range(0, len(names), CHUNK):
        some = names[start : start + CHUNK]
        scores = unit(np.stack([anchors[name] for name in some]).astype(np.float32)) @ vectors.T
        for name, row in zip(some, scores, strict=True):
            ranks |= _ranks_of(name, row, positives[name], place)
    return [
        {
            "score": cosine(one),
            "rank": ranks[example["anchor"], example["positive"]],
            "negative_scores": [cosine(one[[0, 2 + i]]) for i in range(len(one) - 2)],
        }
        for example, one in zip(examples, items, strict=True)
    ]


def _ranks_of(
    anchor: str, scores: np.ndarray, positives: set[str], place: "Mapping[str, int]"
) -> dict[tuple[str, str], int]:
    """The rank of each positive of an anchor, given its cosines to all texts."""
    own = [place[text] for text in positives]
    others = np.delete(scores, [*own, *([place[anchor]] if anchor in place and anchor not in positives else [])])
    return {(anchor, text): 1 + int((others >= scores[place[text]]).sum()) for text in positives}
