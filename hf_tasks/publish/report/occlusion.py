"""Which words influence a prediction: leave-one-out occlusion (Li et al. 2016, https://arxiv.org/abs/1612.08220).

Each word is removed in turn, and the model predicts again.
"""

import math
from collections.abc import Sequence

import numpy as np

from hf_tasks.publish.report.blocks import Kind, Marked, Span, clipped
from hf_tasks.runs.run import Run
from hf_tasks.tasks.token_classification.words import split
from hf_tasks.tasks.types import Example

LEGEND: tuple[tuple[Kind, str], ...] = (
    ("for", "raises the value"), ("against", "lowers the value"),
)  # fmt: skip
PIECES = 40
"""Maximum number of pieces of a text that are removed in turn; in long texts a piece is several words."""
OPERATIONS = 5e11
"""Approximate limit of the model's operations over all texts: a few seconds on two slow cores."""
LEAST = 0.05
"""Smallest change that is highlighted, as a share of the largest one."""
SMALL = 0.3
"""The colours of an example are scaled to at least this change in log odds."""
LONG = 300
"""Words of a text that are shown."""

MOST_REST = 80
"""Characters of the remaining text that are shown."""

Passages = list[tuple[str, Marked]]
NAMES = {"text": "text", "text_pair": "second"}


def marked(run: Run, rows: Sequence[Example], labels: Sequence[str | None]) -> list[Passages]:
    """For each example its texts, highlighted by the influence of each piece on the log odds of its label, or on the
    predicted number where the label is None."""
    if not rows:
        return []
    most = _pieces(run, rows)
    plans = [[(name, *piece) for name in NAMES if name in row for piece in _pieces_of(row[name], most)] for row in rows]
    asked = [
        row | {name: row[name][:start] + row[name][end:]}
        for row, plan in zip(rows, plans, strict=True)
        for name, start, end in plan
    ]
    inputs = [{name: row[name] for name in NAMES if name in row} for row in [*rows, *asked]]
    predictions = iter(run.predict(inputs))
    whole = [_value(next(predictions), label) for label in labels]
    plans_of_labels = zip(plans, labels, whole, strict=True)
    changes = [[base - _value(next(predictions), label) for _ in plan] for plan, label, base in plans_of_labels]
    return [_passages(row, plan, change) for row, plan, change in zip(rows, plans, changes, strict=True)]


def _value(prediction: Example, label: str | None) -> float:
    """Log odds of a label, which also show changes of probabilities near 0 and 1; without a label the score."""
    if label is None:
        return float(prediction["score"])
    p = min(max(prediction["probabilities"][label], 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def _pieces(run: Run, rows: Sequence[Example]) -> int:
    """How many pieces of each text can be removed within OPERATIONS."""
    words = sum(len(row[name].split()) for row in rows for name in NAMES if name in row)
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    return int(min(PIECES, max(4, OPERATIONS / (2 * parameters * max(words, 1)))))


def _pieces_of(text: str, most: int) -> list[tuple[int, int]]:
    """(start, end) characters of at most `most` pieces of whole words."""
    offsets = split(text, "words")["offsets"][:LONG]
    groups = [group for group in np.array_split(np.arange(len(offsets)), min(most, len(offsets)) or 1) if len(group)]
    return [(offsets[group[0]][0], offsets[group[-1]][1]) for group in groups]


def _passages(row: Example, plan: list[tuple[str, int, int]], change: list[float]) -> Passages:
    largest = max([SMALL, *map(abs, change)])
    passages = []
    for name in [name for name in NAMES if name in row]:
        splits = [(start, end, c / largest) for (of, start, end), c in zip(plan, change, strict=True) if of == name]
        title = NAMES[name] if "text_pair" in row else ""
        passages.append((title, _spans(row[name], splits)))
    return passages


def _spans(text: str, splits: list[tuple[int, int, float]]) -> Marked:
    spans, at = [], 0
    for start, end, share in splits:
        kind: Kind = "for" if share > LEAST else "against" if share < -LEAST else ""
        spans += [Span(text[at:start]), Span(text[start:end], kind, strength=abs(share))]
        at = end
    rest = text[at:]
    return (*spans, Span(clipped(rest, MOST_REST)))
