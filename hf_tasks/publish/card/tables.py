"""What was measured on a part, as tables."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hf_tasks.metrics import VALUES, description
from hf_tasks.publish.card.markdown import code, number, value
from hf_tasks.publish.card.metadata import SPLITS, is_number


@dataclass(frozen=True)
class Table:
    title: str
    """Empty for the table of single values."""
    columns: list[str]
    rows: list[list[Markup]]


def tables(values: Mapping[str, Any]) -> Iterator[Table]:
    """The numbers of a part, with what they are; then what has numbers for each label, or each kind of something."""
    single = {name: one for name, one in values.items() if name != "n" and (one is None or is_number(one))}
    if single:
        yield _single(single, values.get("intervals", {}), values.get("notes", {}))
    for name, several in values.items():
        if isinstance(several, dict) and several and name not in ("intervals", "notes"):
            yield _table(name, several)


def _single(values: Mapping[str, Any], intervals: Mapping[str, list[float]], notes: Mapping[str, str]) -> Table:
    """One value a row, with its 95 % interval where some have one, and what must be known of it."""
    words = {name: "; ".join(filter(None, [description(name), str(notes.get(name, ""))])) for name in values}
    rows = {name: [_name(name), cell(one), value(words[name])] for name, one in values.items()}
    if not intervals:
        return Table("", ["metric", "value", "what it is"], list(rows.values()))
    for name, row in rows.items():
        row.insert(2, Markup(" to ").join(map(cell, intervals.get(name, []))))
    return Table("", ["metric", "value", "95 % interval", "what it is"], list(rows.values()))


def headline(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first number of the best part that was measured: test, or validation."""
    for split in reversed(SPLITS):
        scores = {name: one for name, one in results.get(split, {}).items() if name != "n" and is_number(one)}
        for name in scores:
            return {"part": split, "n": results[split]["n"], "name": name, "value": scores[name]}
    return None


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """What is neither a number nor a table: the signatures of metrics."""
    return {name: one for name, one in values.items() if isinstance(one, str)}


def cell(thing: Any) -> Markup:
    """A measured value in a table."""
    if is_number(thing):
        return number(thing) if math.isfinite(thing) else Markup("not defined")
    return Markup("not defined") if thing is None else value(thing)


def _table(name: str, several: Mapping[str, Any]) -> Table:
    """Rows of dicts, whose keys are the columns, or of single values."""
    dicts = [row for row in several.values() if isinstance(row, dict)]
    columns = list(dict.fromkeys(column for row in dicts for column in row)) or ["value"]
    rows = [[value(key), *(cell(one) for one in _cells(row, columns))] for key, row in several.items()]
    return Table(name, ["", *columns], rows)


def _name(name: str) -> Markup:
    """The name of a value: code where it is one of ours, else text."""
    return code(name) if name in VALUES else value(name)


def _cells(row: Any, columns: list[str]) -> list[Any]:
    return [row.get(column) for column in columns] if isinstance(row, dict) else [row]
