"""Sample the rows of a split."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers import parallel, reader_of
from hf_tasks.data.readers.compression import opened
from hf_tasks.data.readers.delimited import Rows, before_number
from hf_tasks.data.section import FileOptions
from hf_tasks.recipe.init.files import SplitFiles
from hf_tasks.tasks.types import RawRow

SIZE = 10_000
"""Maximum number of rows in a sample, drawn from the complete file."""


@dataclass(frozen=True)
class RowSample:
    """A random sample of the rows of a split."""

    rows: list[RawRow]
    """At most SIZE rows in their order; nested values also have dotted names."""
    total: int
    """Number of valid rows."""
    bad: tuple[str, ...] = ()
    """Messages for invalid rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def read_sample(files: SplitFiles, options: FileOptions) -> RowSample:
    """Sample the rows of one split (reservoir sampling). Raises DataError if a file is unreadable or has no rows."""
    draw = random.Random(42).randrange
    kept: list[tuple[int, RawRow]] = []
    bad: list[str] = []
    total = 0
    for place, row in _rows(files, options):
        if isinstance(row, ValueError):
            bad.append(f"{place}: {row}")
            continue
        if total < SIZE:
            kept.append((total, row))
        elif (slot := draw(total + 1)) < SIZE:
            kept[slot] = total, row
        total += 1
    if not total:
        raise DataError(bad[0] if bad else f"{files.paths[0]}: there are no rows; give at least one")
    rows = [_flattened(row) for _, row in sorted(kept, key=lambda one: one[0])]
    return RowSample(rows, total, tuple(bad))


def _rows(files: SplitFiles, options: FileOptions) -> Iterator[tuple[str, RawRow | ValueError]]:
    if files.targets:
        pairs: Rows = parallel.rows(str(files.paths[0]), list(map(str, files.targets)), labelled=True)
        yield from ((f"{files.paths[0]}:{line}", row) for line, row in pairs)
        return
    for path in map(str, files.paths):
        read_rows = reader_of(path, options.format, options.column_names, options.delimiter, options.encoding)
        with opened(path) as file:
            yield from ((f"{before_number(path, line)}{line}", row) for line, row in read_rows(file, path))


def _flattened(row: RawRow, depth: int = 3) -> RawRow:
    """Return a row with dotted names added for the values in its dicts and lists of one dict."""
    found = dict(row)
    for name, value in row.items():
        below = value if isinstance(value, dict) else {"0": value[0]} if _holds_one_dict(value) else {}
        if below and depth:
            found |= {f"{name}.{key}": inner for key, inner in _flattened(below, depth - 1).items()}
    return found


def _holds_one_dict(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)
