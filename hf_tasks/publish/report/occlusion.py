"""Which words moved a prediction: each word is left out in turn, and the prediction made again (leave-one-out
occlusion: Li et al. 2016, https://arxiv.org/abs/1612.08220)."""

import math
from collections.abc import Sequence

import numpy as np

from hf_tasks.publish.report.blocks import Kind, Marked, Span, clipped
from hf_tasks.runs.run import Run
from hf_tasks.tasks.token_classification.words import split
from hf_tasks.tasks.types import Example

LEGEND: tuple[tuple[Kind, str], ...] = (
    ("for", "without it, the value is lower"), ("against", "without it, it is higher"),
)  # fmt: skip
PIECES = 40
"""Stretches of a text that are left out in turn; of longer texts, a stretch is several words."""
OPERATIONS = 5e11
"""Of the model, about, in all texts together: a few seconds on two slow cores."""
LEAST = 0.05
"""Share of the largest change that is marked at the least."""
SMALL = 0.3
"""A change, in log odds, that is never shown as a large one."""
LONG = 300
"""Words of a text that are shown."""

MOST_REST = 80
"""Characters of what stands behind them."""

Passages = list[tuple[str, Marked]]
NAMES = {"text": "text", "text_pair": "second"}


def marked(run: Run, rows: Sequence[Example], labels: Sequence[str | None]) -> list[Passages]:
    """For each example its texts, marked with what each stretch of words adds to the probability of a label; None: to
    the predicted number."""
    if not rows:
        return []
    most = _pieces(run, rows)
    plans = [[(name, *piece) for name in NAMES if name in row for piece in _stretches(row[name], most)] for row in rows]
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
    """Log odds of a label: of probabilities near 0 and 1 too, they show what a word does."""
    if label is None:
        return float(prediction["score"])
    p = min(max(prediction["probabilities"][label], 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def _pieces(run: Run, rows: Sequence[Example]) -> int:
    """How many stretches of each text can be left out within the bound on operations."""
    words = sum(len(row[name].split()) for row in rows for name in NAMES if name in row)
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    return int(min(PIECES, max(4, OPERATIONS / (2 * parameters * max(words, 1)))))


def _stretches(text: str, most: int) -> list[tuple[int, int]]:
    """(first character, character after the last) of at most so many stretches of words."""
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
