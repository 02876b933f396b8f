"""The page: sections to one HTML file that holds all it needs, runs no script, and asks nobody for anything.

Every text goes through Jinja's autoescape; the only markup that comes from elsewhere are the drawings.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks.publish.report.blocks import Interval, Section

TEMPLATES = Path(__file__).parent / "templates"


def page(title: str, header: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """The HTML of a report; `header`: what its template shows above the sections."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cell"] = cell
    environment.tests["number"] = lambda value: isinstance(value, int | float | Interval)
    environment.tests["marked"] = lambda value: isinstance(value, tuple)
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    filled = [section for section in sections if section.blocks]
    return environment.get_template("report.html.jinja").render(
        title=title, header=header, sections=filled, style=style
    )


def cell(value: Any) -> str:
    """A value in a table: shares with four decimals, larger numbers with two, counts with commas."""
    match value:
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
        case Interval(low, high):
            return f"{cell(low)} to {cell(high)}"
    return str(value)
