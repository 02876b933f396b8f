"""Results as people read them in a terminal."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that show those after them in another direction."""


def printable(text: str) -> str:
    r"""Text whose control characters, which steer a terminal, are written out (\x1b), as are those that turn the
    direction of others; line ends and tabs stay."""
    return "".join(c if c in "\n\t" or not _steers(c) else repr(c)[1:-1] for c in text)


def _steers(c: str) -> bool:
    return not c.isprintable() and unicodedata.category(c) in ("Cc", "Cs") or c in DIRECTIONS


def table(results: Mapping[str, Any]) -> str:
    """Numbers one a line, with 95 % intervals and notes; a dict of dicts as a table with the inner keys as columns."""
    return printable("\n".join(_lines(results)))


def _lines(results: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    intervals, notes = results.get("intervals", {}), results.get("notes", {})
    for name, value in results.items():
        match value:
            case _ if name in ("intervals", "notes"):
                continue
            case dict() if value and all(isinstance(row, dict) for row in value.values()):
                columns = list(next(iter(value.values())))
                width = max(len(str(row)) for row in [name, *value])
                yield f"{indent}{name:<{width}} " + " ".join(f"{column:>10}" for column in columns)
                for row, cells in value.items():
                    yield f"{indent}{row:<{width}} " + " ".join(f"{_number(cells.get(c)):>10}" for c in columns)
            case dict():
                yield f"{indent}{name}: " + ", ".join(f"{key} {_number(cell)}" for key, cell in value.items())
            case _ if name in intervals:
                low, high = intervals[name]
                note = f"  ({notes[name]})" if name in notes else ""
                yield f"{indent}{name:<22} {_number(value):<8} [{_number(low)}, {_number(high)}]{note}"
            case _ if name in notes:
                yield f"{indent}{name:<22} {_number(value):<8} ({notes[name]})"
            case _:
                yield f"{indent}{name:<22} {_number(value)}"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
