"""Scores of slices: groups of examples that have something in common."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks import significance
from hf_tasks.metrics import score
from hf_tasks.metrics.sums import sums
from hf_tasks.report.blocks import Interval, Table, clipped
from hf_tasks.report.measured import Measured
from hf_tasks.tasks import TextClassification

MOST_GROUPS = 20
MANY_VALUES = 12
"""Above so many different numbers, a column is cut into quarters."""
LABEL = 60
"""Characters of a group's name."""


@dataclass(frozen=True)
class Group:
    name: str
    rows: np.ndarray


class Scorer:
    """The main metric on any rows, with its interval where it has one.

    Of one label an example, that is accuracy: averages over classes mean something else where a slice lacks classes.
    """

    def __init__(self, measured: Measured) -> None:
        task = measured.task
        single = isinstance(task, TextClassification) and task.problem_type == "single_label_classification"
        self.metric = "accuracy" if single else task.metrics[0]
        self.measured = measured
        self.form = sums(self.metric, measured.answers, measured.references)
        self.name = next(iter(self._values(np.arange(len(measured.answers)))))

    def value(self, rows: np.ndarray) -> float:
        return (significance.value_of(self.form, rows) if self.form else self._values(rows))[self.name]

    def interval(self, rows: np.ndarray) -> Interval | None:
        if self.form is None or len(rows) < 2:
            return None
        return Interval(*significance.interval_of(self.form, rows)[self.name])

    def _values(self, rows: np.ndarray) -> dict[str, float]:
        answers, references = ([of[row] for row in rows] for of in (self.measured.answers, self.measured.references))
        context = self.measured.task.context(self.measured.examples.select(rows))
        values = score((self.metric,), answers, references, self.measured.run.memory | context)
        return {name: value for name, value in values.items() if isinstance(value, float)}


def table(title: str, groups: Sequence[Group], scorer: Scorer, *, lowest_first: bool = False) -> Table:
    """A row for each group: how many examples, the score, its interval."""
    scored = [(scorer.value(group.rows), group) for group in groups if len(group.rows)]
    if lowest_first:
        scored.sort(key=lambda one: one[0])
    rows = [[g.name, len(g.rows), value, scorer.interval(g.rows)] for value, g in scored[:MOST_GROUPS]]
    columns = ["slice", "n", scorer.name, "95 % interval"]
    return Table(title, columns, rows, max(0, len(scored) - MOST_GROUPS))


def by_length(measured: Measured) -> Iterator[Group]:
    """Quarters by the number of tokens; and the examples that were cut."""
    yield from quarters(measured.lengths, "tokens")
    if measured.cut.any():
        yield Group("cut to max_length", np.flatnonzero(measured.cut))
        yield Group("not cut", np.flatnonzero(measured.cut == 0))


def by_label(measured: Measured) -> list[Group]:
    """The examples of each label; of several labels an example is in several."""
    several = [[reference] if isinstance(reference, str) else reference for reference in measured.references]
    of_label: dict[str, list[int]] = {}
    for row, labels in enumerate(several):
        for label in labels:
            of_label.setdefault(label, []).append(row)
    return [Group(clipped(label, LABEL), np.array(rows)) for label, rows in of_label.items()]


def by_value(values: Sequence[Any]) -> list[Group]:
    """The examples of each value of a column, the most frequent first; of many numbers, quarters."""
    numbers = [value for value in map(_number, values) if value is not None]
    if len(numbers) == len(values) and len(set(numbers)) > MANY_VALUES:
        return list(quarters(np.array(numbers), ""))
    names = ["(none)" if value is None or value == "" else str(value) for value in values]
    counts = Counter(names)
    found = np.array(names, dtype=object)
    return [Group(clipped(name, LABEL), np.flatnonzero(found == name)) for name, _ in counts.most_common()]


def quarters(values: np.ndarray, unit: str) -> Iterator[Group]:
    """Four groups of about equal size by a number; fewer where many are equal."""
    edges = np.unique(np.quantile(values, [0.25, 0.5, 0.75], method="higher"))
    place = np.searchsorted(edges, values, side="left")
    for group in range(len(edges) + 1):
        rows = np.flatnonzero(place == group)
        if len(rows):
            low, high = values[rows].min(), values[rows].max()
            name = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            yield Group(f"{name} {unit}".strip(), rows)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
