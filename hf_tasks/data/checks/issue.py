"""Severity, counts and locations of the issues that the data checks find."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from hf_tasks.data import DataSplit
from hf_tasks.tasks.types import Issue, IssueKind

SEVERITY: tuple[IssueKind, ...] = get_args(IssueKind)
"""The most severe kind first: wrong scores, wrong labels, wasted compute."""
SHOWN = 3
"""Maximum number of locations that an issue names."""

Rows = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Seen:
    """The count and first locations of an issue in one split."""

    count: str
    """`9 of 1,821 in test`"""
    places: tuple[str, ...]


def found(kind: IssueKind, what: str, remedy: str, seen: Sequence[Seen]) -> Iterator[Issue]:
    """Yield one issue for all splits in which it was seen, if there are any."""
    if seen:
        first = tuple(place for one in seen for place in one.places)[:SHOWN]
        yield Issue(kind, f"{what}: {', '.join(one.count for one in seen)}", remedy, first)


def places(split: DataSplit, rows: Rows) -> tuple[str, ...]:
    """Return the locations of the first rows: `data/train.csv:17`, and `:203` for the next one of the same file."""
    return tuple(_shortened((split, int(row)) for row in rows[:SHOWN]))


def pairs_of_places(one: DataSplit, rows: Rows, other: DataSplit, others: Rows) -> tuple[str, ...]:
    """Return the locations of the first pairs of rows: `test.csv:14 = train.csv:201`, then `:33 = :555`."""
    if one is other:
        alternating = [(one, int(row)) for pair in zip(rows[:SHOWN], others, strict=False) for row in pair]
        short = list(_shortened(alternating))
        left, right = short[::2], short[1::2]
    else:
        left, right = list(places(one, rows)), list(places(other, others))
    return tuple(f"{a} = {b}" for a, b in zip(left, right, strict=True))


def _shortened(wheres: Iterable[tuple[DataSplit, int]]) -> Iterator[str]:
    before = None
    for split, row in wheres:
        file = split.places[split.place[row]]
        yield split.where(row).removeprefix(file[:-1]) if file == before and file.endswith(":") else split.where(row)
        before = file
