"""Scores of slices: groups of examples by length, label, or the value of a column."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks.publish.report.blocks import clipped
from hf_tasks.publish.report.measured import MeasuredSplit, Scorer
from hf_tasks.publish.results_view import Table

MOST_GROUPS = 20
MANY_VALUES = 12
"""A column with more different numbers is split into quartiles."""
LABEL = 60
"""Characters of a group's name that are shown."""


@dataclass(frozen=True)
class Group:
    name: str
    rows: np.ndarray


def table(title: str, groups: Sequence[Group], scorer: Scorer, *, lowest_first: bool = False) -> Table:
    """A row for each group: its size, its score, the interval of the score."""
    scored = [(scorer.value(group.rows), group) for group in groups if len(group.rows)]
    if lowest_first:
        scored.sort(key=lambda one: one[0])
    rows = [[g.name, len(g.rows), value, scorer.interval(g.rows)] for value, g in scored[:MOST_GROUPS]]
    return Table(title, ["slice", "n", scorer.name, "95 % interval"], rows, max(0, len(scored) - MOST_GROUPS))


def by_length(measured: MeasuredSplit) -> Iterator[Group]:
    """Quartiles by the number of tokens; and the examples that were cut."""
    yield from quartiles(measured.lengths, "tokens")
    if measured.cut.any():
        yield Group("truncated to max_length", np.flatnonzero(measured.cut))
        yield Group("not cut", np.flatnonzero(measured.cut == 0))


def by_label(measured: MeasuredSplit) -> list[Group]:
    """The examples of each label; an example with several labels is in several groups."""
    several = [[reference] if isinstance(reference, str) else reference for reference in measured.references]
    of_label: dict[str, list[int]] = {}
    for row, labels in enumerate(several):
        for label in labels:
            of_label.setdefault(label, []).append(row)
    return [Group(clipped(label, LABEL), np.array(rows)) for label, rows in of_label.items()]


def by_value(values: Sequence[Any]) -> list[Group]:
    """The examples of each value of a column, the most frequent value first; quartiles of many different numbers."""
    numbers = [value for value in map(_number, values) if value is not None]
    if len(numbers) == len(values) and len(set(numbers)) > MANY_VALUES:
        return list(quartiles(np.array(numbers), ""))
    names = ["(none)" if value is None or value == "" else str(value) for value in values]
    counts = Counter(names)
    found = np.array(names, dtype=object)
    return [Group(clipped(name, LABEL), np.flatnonzero(found == name)) for name, _ in counts.most_common()]


def quartiles(values: np.ndarray, unit: str) -> Iterator[Group]:
    """Four groups of about equal size by a number, fewer if many numbers are equal."""
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
