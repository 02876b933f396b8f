"""Renders sections as one self-contained HTML file, which runs no script and loads nothing.

Jinja escapes every text; only the SVG plots are inserted as markup.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks.publish.report.blocks import ReportSection
from hf_tasks.publish.results_view import Interval, Table

TEMPLATES = Path(__file__).parent / "templates"
NARROW = 58
"""Characters of a table row that fit into half of the page."""


def page(title: str, header: Mapping[str, Any], sections: Sequence[ReportSection]) -> str:
    """The HTML of a report; `header`: the values above the sections. Sections without blocks are left out."""
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    filled = [section for section in sections if section.blocks]
    template = _environment().get_template("report.html.jinja")
    return str(template.render(title=title, header=header, sections=filled, style=style))


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cell"] = cell
    environment.tests["marked"] = is_marked
    environment.tests["wide"] = is_wide
    return environment


def cell(value: Any) -> str:
    """The text of a cell: four decimals below 10, two above, counts with thousands separators."""
    match value:
        case Interval(low, high):
            return f"{cell(low)} to {cell(high)}"
        case None:
            return "–"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float() if not math.isfinite(value):
            return "–"
        case float():
            return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"
    return str(value)


def is_marked(value: Any) -> bool:
    """Whether a cell is a text with highlights."""
    return isinstance(value, tuple) and not isinstance(value, Interval)


def is_wide(table: Table) -> bool:
    """Whether a table takes the whole width of the page."""
    widths = [max(map(_width, column)) for column in zip(table.columns, *table.rows, strict=True)]
    return sum(widths) > NARROW


def _width(value: Any) -> int:
    """About how many characters a cell takes."""
    match value:
        case str():
            return len(value) + 2
        case Interval():
            return 20
        case tuple():
            return NARROW + 1
    return 9
