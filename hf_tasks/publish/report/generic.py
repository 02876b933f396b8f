"""Report sections of any task: predictions beside their references, those that differ first."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hf_tasks.publish.report.blocks import Example, Examples, Facts, ReportSection, plain
from hf_tasks.publish.report.measured import MeasuredSplit

SHOWN = 20
LONG = 400
"""Characters of a value that are shown."""


def predictions(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """The sections of a split."""
    pairs = zip(measured.answers, measured.references, strict=True)
    wrong = np.array([answer != reference for answer, reference in pairs])
    yield ReportSection(
        "Predictions",
        [Facts([("equal to the reference", int((~wrong).sum())), ("different from the reference", int(wrong.sum()))])],
    )
    titles = {"Different from the reference": np.flatnonzero(wrong), "Equal to the reference": np.flatnonzero(~wrong)}
    lists = [
        Examples(title, [_example(measured, row) for row in rows[:SHOWN].tolist()], max(0, len(rows) - SHOWN))
        for title, rows in titles.items()
        if len(rows)
    ]
    yield ReportSection("Examples", lists)


def _example(measured: MeasuredSplit, row: int) -> Example:
    example = measured.rows[row]
    inputs = [(name, plain(_text(example[name]), LONG)) for name in measured.task.traits.inputs if name in example]
    outcome = {"reference": measured.references[row], "prediction": measured.answers[row]}
    return Example(measured.where(row), [], [*inputs, *((k, plain(_text(v), LONG)) for k, v in outcome.items())])


def _text(value: Any) -> str:
    return " | ".join(map(_text, value)) if isinstance(value, list) else str(value)
