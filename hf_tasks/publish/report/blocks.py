"""The blocks of a report: paragraphs, facts, tables, pictures and examples, as plain values without HTML.

The template templates/KIND.html.jinja renders the blocks of a kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from hf_tasks.publish.plots import Picture
from hf_tasks.publish.results_view import Table

Kind = Literal["", "gold", "found", "right", "for", "against", "best"]


@dataclass(frozen=True)
class Span:
    """A piece of text, highlighted if it has a kind."""

    text: str
    kind: Kind = ""
    """gold: in the data; found: predicted; right: both; for, against: raises or lowers the prediction; best: bold."""
    label: str = ""
    """Printed small after the text."""
    strength: float = 1.0
    """Intensity of the colour, 0 to 1."""


Marked = tuple[Span, ...]


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
class Example:
    where: str
    facts: Sequence[tuple[str, Any]]
    passages: Sequence[tuple[str, Marked]]
    """(name of the text, the text)"""


@dataclass(frozen=True)
class Examples:
    kind: ClassVar[str] = "examples"
    title: str
    examples: Sequence[Example]
    more: int = 0
    legend: Sequence[tuple[Kind, str]] = ()
    """(kind, its meaning)"""


Block = Paragraph | Facts | Table | Picture | Examples


@dataclass(frozen=True)
class ReportSection:
    title: str
    blocks: Sequence[Block] = field(default_factory=list)


def clipped(text: str, most: int = 600) -> str:
    """The text, shortened to `most` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def plain(text: str, most: int = 600) -> Marked:
    """The text without highlights, shortened to `most` characters."""
    return (Span(clipped(text, most)),)
