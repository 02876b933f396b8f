"""Report sections of masked language models: the perplexity of each text, the most and the least surprising ones."""

from collections.abc import Iterator

import numpy as np

from hf_tasks.publish import plots
from hf_tasks.publish.report.blocks import Example, Examples, Facts, ReportSection, plain
from hf_tasks.publish.report.measured import MeasuredSplit

SHOWN = 10
FEW_MASKED = 5
"""Texts with fewer masked tokens are not listed: their perplexity says little."""


def texts(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """The sections of a split."""
    masked = np.array([row["masked"] for row in measured.predictions])
    rows = np.flatnonzero(masked)
    perplexity = np.array([measured.predictions[row]["perplexity"] for row in rows])
    facts = [("masked tokens", int(masked.sum())), ("median perplexity of a text", float(np.median(perplexity)))]
    label = "log10 of the perplexity of its masked tokens"
    yield ReportSection(
        "Texts", [Facts(facts), plots.histogram("Perplexity of each text", np.log10(perplexity), label)]
    )
    listed = rows[masked[rows] >= FEW_MASKED]
    order = listed[np.argsort([-measured.predictions[row]["perplexity"] for row in listed], kind="stable")]
    lists = {"The highest perplexity": order[:SHOWN], "The lowest perplexity": order[SHOWN:][::-1][:SHOWN]}
    found = {title: some for title, some in lists.items() if len(some)}
    yield ReportSection(
        "Examples", [Examples(title, [_example(measured, int(row)) for row in some]) for title, some in found.items()]
    )


def _example(measured: MeasuredSplit, row: int) -> Example:
    prediction = measured.predictions[row]
    right = f"{prediction['correct']} of {prediction['masked']}"
    facts = [("perplexity", prediction["perplexity"]), ("masked tokens predicted", right)]
    return Example(measured.where(row), facts, [("text", plain(measured.rows[row]["text"]))])
