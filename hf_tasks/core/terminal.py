"""Text for the terminal: tables of results, messages, durations."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from hf_tasks.core import distributed
from hf_tasks.core.printable import printable


def table(results: Mapping[str, Any]) -> str:
    """Format results, one number per line with its 95 % interval and note; a dict of dicts becomes a table."""
    return printable("\n".join(_lines(results)))


def _lines(results: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    intervals, notes = results.get("intervals", {}), results.get("notes", {})
    for name, value in results.items():
        match value:
            case _ if name in ("intervals", "notes"):
                continue
            case dict() if value and all(isinstance(row, dict) for row in value.values()):
                columns = list(dict.fromkeys(column for cells in value.values() for column in cells))
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
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)


def say(text: str) -> None:
    """Print a line to standard error on the main process; standard output is only for results."""
    if distributed.is_main():
        print(printable(text), file=sys.stderr, flush=True)


def seconds(value: float) -> str:
    """Format a duration in seconds as `8 s`, `2 min 5 s` or `1 h 4 min`."""
    rounded = round(value)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60} min"


def short(epoch: float) -> str:
    """Format an epoch number with at most two decimals: `3`, `0.25`."""
    return f"{epoch:.2f}".rstrip("0").rstrip(".")
