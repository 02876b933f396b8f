"""Sections of tasks that have none of their own: predictions beside their references, those that differ first."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hf_tasks.publish.report.blocks import Example, Examples, Facts, Section, plain
from hf_tasks.publish.report.measured import Measured

SHOWN = 20
LONG = 400
"""Characters of a value that are shown."""


def predictions(measured: Measured) -> Iterator[Section]:
    pairs = zip(measured.answers, measured.references, strict=True)
    wrong = np.array([answer != reference for answer, reference in pairs])
    yield Section(
        "Predictions", [Facts([("equal to the reference", int((~wrong).sum())), ("others", int(wrong.sum()))])]
    )
    titles = {"Other than the reference": np.flatnonzero(wrong), "Equal to it": np.flatnonzero(~wrong)}
    lists = [
        Examples(title, [_example(measured, row) for row in rows[:SHOWN].tolist()], max(0, len(rows) - SHOWN))
        for title, rows in titles.items()
        if len(rows)
    ]
    yield Section("Examples", lists)


def _example(measured: Measured, row: int) -> Example:
    example = measured.rows[row]
    inputs = [(name, plain(_text(example[name]), LONG)) for name in measured.task.traits.inputs if name in example]
    outcome = {"reference": measured.references[row], "prediction": measured.answers[row]}
    return Example(measured.where(row), [], [*inputs, *((k, plain(_text(v), LONG)) for k, v in outcome.items())])


def _text(value: Any) -> str:
    return " | ".join(map(_text, value)) if isinstance(value, list) else str(value)
