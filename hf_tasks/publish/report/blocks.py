"""What a report consists of: sections of paragraphs, facts, tables, pictures and examples. Values, without any HTML.

Each kind of block is shown by the template of its name (templates/KIND.html.jinja).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from markupsafe import Markup

Kind = Literal["", "gold", "found", "right", "for", "against"]


@dataclass(frozen=True)
class Span:
    """A stretch of text, marked where it has a kind."""

    text: str
    kind: Kind = ""
    """gold: as it should be; found: what the model says; right: both; for, against: what moved the prediction."""
    label: str = ""
    """Stands small behind the text."""
    strength: float = 1.0
    """0 to 1: how deep the colour is."""


Marked = tuple[Span, ...]
NARROW = 58
"""Characters of a row that half of the page holds."""


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values, side by side."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Table:
    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """Cells: texts, numbers, None, `Interval` or `Marked`."""
    more: int = 0
    """Rows that are left out."""

    @property
    def wide(self) -> bool:
        """Whether it takes all the room there is."""
        widths = [max(map(_width, column)) for column in zip(self.columns, *self.rows, strict=True)]
        return sum(widths) > NARROW


@dataclass(frozen=True)
class Picture:
    kind: ClassVar[str] = "picture"
    title: str
    svg: Markup
    legend: Sequence[tuple[str, str]] = ()
    """(a CSS colour, what is drawn in it)"""
    wide: bool = False
    """Whether it takes all the room there is."""


@dataclass(frozen=True)
class Example:
    where: str
    facts: Sequence[tuple[str, Any]]
    passages: Sequence[tuple[str, Marked]]
    """(what it is, the text)"""


@dataclass(frozen=True)
class Examples:
    kind: ClassVar[str] = "examples"
    title: str
    examples: Sequence[Example]
    more: int = 0
    legend: Sequence[tuple[Kind, str]] = ()
    """What the marks mean."""


Block = Paragraph | Facts | Table | Picture | Examples


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block] = field(default_factory=list)


def first(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], most: int) -> Table:
    """A table of at most so many rows, which says how many more there are."""
    return Table(title, columns, rows[:most], max(0, len(rows) - most))


def _width(cell: Any) -> int:
    """About how many characters a cell takes."""
    match cell:
        case str():
            return len(cell) + 2
        case tuple():
            return NARROW + 1
        case Interval():
            return 20
    return 9


def clipped(text: str, most: int = 600) -> str:
    """A text, or its beginning where it is long."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def plain(text: str, most: int = 600) -> Marked:
    """A text without marks, or its beginning where it is long."""
    return (Span(clipped(text, most)),)
