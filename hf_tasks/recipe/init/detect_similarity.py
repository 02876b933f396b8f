"""Detect sentence similarity: anchors with positives and negatives, and pairs of texts with a score or 0 and 1."""

import re
from collections.abc import Iterator, Sequence

from hf_tasks.recipe.init.columns import Columns, named
from hf_tasks.recipe.init.detection import Detection, Names

ANCHORS = ("anchor", "query", "question", "sentence")
POSITIVES = ("positive", "pos", "positives", "positive_passage")
NEGATIVES = re.compile(r"(?i)(hard_)?(negatives?|neg)[ _.-]?\d*")
BEHIND = 0.5
"""A pair of texts is proposed for classification or regression first, by this difference of plausibility."""


def anchored(columns: Columns) -> Iterator[Detection]:
    """Detect a text, one that means the same and others that do not, by the names of their columns."""
    texts = [name for name, column in columns.items() if column.kind in ("text", "label", "identifier")]
    anchor, positive = named(texts, ANCHORS), named(texts, POSITIVES)
    if not anchor or not positive:
        return
    negatives = [name for name in columns if NEGATIVES.fullmatch(name)]
    found: Names = {"anchor": anchor, "positive": positive}
    found |= {"negatives": negatives[0] if len(negatives) == 1 else tuple(negatives)} if negatives else {}
    reason = f'"{positive}" means the same as "{anchor}"'
    reason += f", and not {', '.join(f'{chr(34)}{name}{chr(34)}' for name in negatives)}" if negatives else ""
    yield Detection("sentence-similarity", "anchors with positives", reason, found, score=9.7)


def of_pairs(found: Sequence[Detection], columns: Columns) -> Iterator[Detection]:
    """Yield the detections of pairs of texts with a number or two labels, as sentence similarity."""
    for one in found:
        target = next((name for name in ("score", "label") if isinstance(one.columns.get(name), str)), "")
        first, second = one.columns.get("text"), one.columns.get("text_pair")
        if one.task != "text-classification" or not target or not second or first is None:
            continue
        name = one.columns[target]
        if target == "label" and set(columns[str(name)].counts) != {"0", "1"}:
            continue
        names: Names = {"sentence1": first, "sentence2": second, target: name}
        kind = "texts that mean the same, by the cosine of their embeddings"
        yield Detection("sentence-similarity", kind, one.reason, names, score=one.score - BEHIND)
