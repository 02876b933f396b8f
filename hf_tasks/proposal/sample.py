"""A sample of the rows of files, read by the package's own readers; and which reader that is."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hf_tasks.data import parallel
from hf_tasks.data.files import lines, opened
from hf_tasks.data.readers import SUFFIXES, TEXT_SUFFIXES, reader_of
from hf_tasks.data.tables import Rows
from hf_tasks.errors import DataError
from hf_tasks.proposal.parts import Files, ending
from hf_tasks.tasks.examples import Row

SIZE = 10_000
"""Rows that are looked at; those of a longer file are drawn from all of it."""
LOOK = 200
"""Lines that tell the format of a file whose ending does not."""

_IDEOGRAPH = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Sample:
    rows: list[Row]
    """At most SIZE, in their order."""
    total: int
    """Rows that could be read."""
    bad: tuple[str, ...] = ()
    """Rows that could not: `place: what is wrong`."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def read(files: Files, format: str | None) -> Sample:
    """A sample of the rows of one part. Raises DataError where a file cannot be read, or has no rows."""
    draw = random.Random(42).randrange
    kept: list[tuple[int, Row]] = []
    bad: list[str] = []
    total = 0
    for place, row in _rows(files, format):
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
    return Sample([row for _, row in sorted(kept, key=lambda one: one[0])], total, tuple(bad))


def format_of(paths: Sequence[Path]) -> str | None:
    """The format that the recipe must name; None where the endings tell it. Raises DataError."""
    found = {_format(path) for path in paths}
    if len(found) > 1:
        told = ", ".join(f"{path} {_format(path) or ending(path)}" for path in paths)
        raise DataError(f"{told}: the files have different formats; give them one by one, or in one format")
    return found.pop()


def _rows(files: Files, format: str | None) -> Iterator[tuple[str, Row | ValueError]]:
    if files.targets:
        pairs: Rows = parallel.rows(str(files.paths[0]), list(map(str, files.targets)), labelled=True)
        yield from ((f"{files.paths[0]}:{line}", row) for line, row in pairs)
        return
    for path in map(str, files.paths):
        read_rows = reader_of(path, format, "text")
        with opened(path) as file:
            yield from ((f"{path}:{line}", row) for line, row in read_rows(file, path))


def _format(path: Path) -> str | None:
    """None where the ending tells the format."""
    suffix = f".{ending(path).lower()}"
    told = SUFFIXES.get(suffix)
    if told not in (None, "csv", "json"):
        return None
    with opened(str(path)) as file:
        first = list(islice(lines(file, str(path)), LOOK)) if told != "json" else [*_two(lines(file, str(path)))]
    if told == "json":
        return "jsonl" if len(first) > 1 and all(map(_is_object, first)) else None
    if told == "csv":
        return "tsv" if "\t" in first[0] and "," not in first[0] else None
    found = _looks_like(first)
    if found == "text" and suffix not in TEXT_SUFFIXES:
        raise DataError(f"{path}: the format is not known; known endings are {' '.join(SUFFIXES)} .txt")
    return found


def _two(texts: Iterator[str]) -> Iterator[str]:
    yield from islice((text for text in texts if not text.isspace()), 2)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _looks_like(first: list[str]) -> str:
    """The format of a text file, by its first lines."""
    full = [line.rstrip("\r\n") for line in first if line.strip()]
    fields = {line.count("\t") for line in full if not line.startswith("#")}
    blank = len(full) < len(first)
    if not full:
        return "text"
    if full[0].startswith("[") and len(full[0]) < 3 or full[0].startswith("[{"):
        return "json"
    if _is_object(full[0]):
        return "jsonl"
    if fields == {9}:
        return "conllu"
    if blank and len({len(line.split()) for line in full if not line.startswith("-DOCSTART-")}) == 1:
        return "conll" if len(full[0].split()) in range(2, 7) else "text"
    if len(fields) == 1 and fields != {0}:
        return "tsv"
    words = [word for line in full for word in line.split()]
    if sum(word.count("/") >= 1 and not word.startswith("http") for word in words) > 0.9 * len(words):
        return "slashed"
    ideographs = sum(len(_IDEOGRAPH.findall(word)) for word in words)
    if ideographs > 0.5 * sum(map(len, words)) and len(words) > 2 * len(full):
        return "segmented"
    return "text"
