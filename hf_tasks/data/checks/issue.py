"""Finding: something in the data that is allowed and seldom meant; one line with counts, places and a remedy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hf_tasks.data import DataSplit

Kind = Literal[
    "leak", "conflict", "near leak", "labels", "oddity", "cut", "few", "balance", "repeat",
]  # fmt: skip
SEVERITY: tuple[Kind, ...] = ("leak", "conflict", "near leak", "labels", "oddity", "cut", "few", "balance", "repeat")
"""The gravest first: what makes scores wrong, then what teaches wrong things, then what wastes."""
SHOWN = 3
"""Places that a finding names."""

Rows = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Issue:
    kind: Kind
    text: str
    """What it is, and how often in each part: `texts that are in train too: 9 of 1,821 in test`."""
    remedy: str
    places: tuple[str, ...] = ()
    """The first of them, as `Part.where` gives them."""

    def __str__(self) -> str:
        places = f" ({', '.join(self.places)})" if self.places else ""
        return f"{self.text}{places}; {self.remedy}"


@dataclass(frozen=True)
class Seen:
    """Where and how often something was seen in one part."""

    count: str
    """`9 of 1,821 in test`"""
    places: tuple[str, ...]


def found(kind: Kind, what: str, remedy: str, seen: Sequence[Seen]) -> Iterator[Issue]:
    """One finding for all parts in which something was seen; none where it was not."""
    if seen:
        first = tuple(place for one in seen for place in one.places)[:SHOWN]
        yield Issue(kind, f"{what}: {', '.join(one.count for one in seen)}", remedy, first)


def places(split: DataSplit, rows: Rows) -> tuple[str, ...]:
    """Where the first rows stand: `data/train.csv:17`, and `:203` for the next of the same file."""
    return tuple(_shortened((split, int(row)) for row in rows[:SHOWN]))


def pairs_of_places(one: DataSplit, rows: Rows, other: DataSplit, others: Rows) -> tuple[str, ...]:
    """Where the first pairs of rows stand: `test.csv:14 = train.csv:201`, and `:33 = :555` for the next."""
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
