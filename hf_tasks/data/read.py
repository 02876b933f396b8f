"""Reading a part of the data: files, a data set of the Hub, or plain rows, to typed examples.

raw row --Renaming--> canonical columns --task.example--> example, column by column into a Part
"""

import contextlib
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hf_tasks.core.hashing import sha256
from hf_tasks.data import columns as renamings
from hf_tasks.data import hub, parallel
from hf_tasks.data.columns import FILE_HAS, ROWS_HAVE, Names
from hf_tasks.data.files import STDIN, opened
from hf_tasks.data.find import find, folders
from hf_tasks.data.part import Part, from_examples, join, stack
from hf_tasks.data.problems import Problems
from hf_tasks.data.readers import reader_of
from hf_tasks.data.section import Data, Parallel
from hf_tasks.errors import DataError
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.examples import Row

BadRows = Literal["stop", "drop"]
CHUNK = 10_000
"""Rows that are Python objects at once."""


def read_part(
    data: Data, name: Literal["train", "validation", "test"], task: Task, *, seed: int,
    beside: Path | None = None, labelled: bool = True,
) -> Part | None:  # fmt: skip
    """One part of the data that a recipe names; None where it names no such part. Raises DataError.

    Paths are looked up from the current directory, then from `beside`; with `data.data_dir`, from there alone. A file
    that is named twice counts once. `seed` draws the rows where `data.max_examples` is set.
    """
    named = data.part(name)
    if named is None:
        return None
    way = _Way(task, data.columns, labelled, data.bad_rows)
    if isinstance(named, Parallel):
        part = _from_parallel(named, folders(data.data_dir, beside), way)
        return part.sample(data.max_examples, seed)
    several = (named,) if isinstance(named, str) else named
    if data.path:
        return _from_hub(data, "+".join(several), task, labelled).sample(data.max_examples, seed)
    paths = find(several, folders(data.data_dir, beside))
    return _from_files(list(map(str, paths)), data.format, way, data.column_names).sample(data.max_examples, seed)


def read_file(
    path: str, task: Task, *, format: str | None = None, columns: Names | None = None, labelled: bool = True,
    bad_rows: BadRows = "stop", targets: Sequence[str] = (),
) -> Part:  # fmt: skip
    """The examples of one file; "-" is standard input. `targets`: parallel files of a text file. Raises DataError."""
    way = _Way(task, columns or {}, labelled, bad_rows)
    if targets:
        return _from_parallel(Parallel(source=path, target=tuple(targets)), [Path()], way)
    paths = [path] if path == "-" else list(map(str, find([path], [Path()])))
    return _from_files(paths, format, way)


def read_rows(rows: Sequence[Mapping[str, Any]], task: Task, *, labelled: bool) -> Part:
    """The examples in rows of canonical columns. Raises DataError."""
    if not len(rows):
        raise DataError("there are no rows; give at least one")
    problems = Problems("stop", remedy="mend these rows or leave them out")
    part = _from_rows(enumerate(map(_plain, rows), 1), "row ", _Way(task, {}, labelled, advice=ROWS_HAVE), problems)
    problems.settle(len(part))
    return part


def check(part: Part, task: Task, bad_rows: BadRows = "stop") -> Part:
    """The part after `task.check` of each example: rows with problems stop with DataError or are dropped."""
    problems = Problems(bad_rows)
    good = []
    among = dict(task.check_all(part.examples))
    for row, example in enumerate(part.rows()):
        if found := [*task.check(example), *([among[row]] if row in among else [])]:
            problems.add(part.where(row), "; ".join(found))
        else:
            good.append(row)
    problems.settle(len(good))
    return replace(part.select(good), dropped=part.dropped + problems.count) if problems.count else part


@dataclass(frozen=True)
class _Way:
    """How raw rows are read."""

    task: Task
    names: Names
    labelled: bool
    bad_rows: BadRows = "stop"
    advice: str = FILE_HAS


def _from_files(paths: Sequence[str], format: str | None, way: _Way, column_names: Sequence[str] = ()) -> Part:
    _check_names(way)
    problems = Problems(way.bad_rows)
    broken: list[str] = []
    parts: list[Part] = []
    for path in paths:
        try:
            parts.append(_from_file(path, format, way, problems, column_names))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken, *problems.shown)
    problems.settle(sum(map(len, parts)))
    return replace(join(parts), dropped=problems.count)


def _from_file(path: str, format: str | None, way: _Way, problems: Problems, column_names: Sequence[str]) -> Part:
    name = STDIN if path == "-" else path
    reader = reader_of(name, format, way.task.text_format, column_names)
    with opened(path) as file:
        part = _from_rows(reader(file, name), f"{name}:", way, problems)
    return replace(part, files={name: sha256(Path(path))} if Path(path).is_file() else {})


def _from_parallel(named: Parallel, folders: Sequence[Path], way: _Way) -> Part:
    """Rows stand where their source stands."""
    _check_names(way)
    problems = Problems(way.bad_rows)
    parts = []
    for source, targets in parallel.files(named, folders):
        part = _from_rows(parallel.rows(source, targets, labelled=way.labelled), f"{source}:", way, problems)
        parts.append(replace(part, files={path: sha256(Path(path)) for path in (source, *targets)}))
    problems.settle(sum(map(len, parts)))
    return replace(join(parts), dropped=problems.count)


def _from_hub(data: Data, split: str, task: Task, labelled: bool) -> Part:
    way = _Way(task, data.columns, labelled, data.bad_rows)
    _check_names(way)
    problems = Problems(way.bad_rows)
    rows, files = hub.load(data, split)
    part = _from_rows(rows, f"{data.path} {split}:", way, problems)
    problems.settle(len(part))
    return replace(part, dropped=problems.count, files=files)


def _from_rows(rows: Iterable[tuple[int, Row | ValueError]], place: str, way: _Way, problems: Problems) -> Part:
    """The examples in raw rows; bad rows go to `problems`. Raises DataError where no row can be read at all."""
    before = problems.count
    chunks, found = _raw(rows, place, renamings.wanted(way.names, way.task), problems)
    if not chunks.lines and not chunks.packed:
        if problems.count == before:
            raise DataError(f"{place.rstrip(':')}: there are no rows; give at least one")
        return from_examples([], [], place)
    try:
        rename = renamings.renaming(found, way.names, way.task, way.labelled, way.advice)
    except ValueError as e:
        raise DataError(f"{place}1: {e}") from None
    parts = [_examples(lines, raw, rename, place, way, problems) for lines, raw in chunks.taken()]
    return parts[0] if len(parts) == 1 else stack(parts)


@dataclass
class _Chunks:
    """Lines and their rows; all but the last of them packed, since millions of dicts would fill the memory."""

    lines: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def add(self, line: int, row: Row) -> None:
        if len(self.lines) == CHUNK:
            self.packed.append(pickle.dumps((self.lines, self.rows)))
            self.lines, self.rows = [], []
        self.lines.append(line)
        self.rows.append(row)

    def taken(self) -> Iterator[tuple[list[int], list[Row]]]:
        """In order; each is gone when it was taken."""
        for number, chunk in enumerate(self.packed):
            self.packed[number] = b""
            yield pickle.loads(chunk)
        yield self.lines, self.rows


def _raw(
    rows: Iterable[tuple[int, Row | ValueError]], place: str, wanted: set[str], problems: Problems
) -> tuple[_Chunks, list[str]]:
    """The rows with the wanted columns only, and all columns that any row has."""
    chunks, found = _Chunks(), dict[str, None]()
    dotted = [name for name in wanted if "." in name]
    for line, row in rows:
        if isinstance(row, ValueError):
            problems.add(f"{place}{line}", row)
            continue
        if row.keys() != found.keys():
            found |= dict.fromkeys(row)
        kept = {name: row[name] for name in wanted if name in row}
        for name in dotted:
            with contextlib.suppress(LookupError, TypeError):
                kept.setdefault(name, renamings.nested(row, name))
        if dotted:
            found |= dict.fromkeys(kept)
        chunks.add(line, kept)
    return chunks, list(found)


def _examples(
    lines: list[int], raw: list[Row], rename: renamings.Renaming, place: str, way: _Way, problems: Problems
) -> Part:
    examples, kept = [], []
    for line, row in zip(lines, raw, strict=True):
        try:
            examples.append(way.task.example(rename(row)))
            kept.append(line)
        except ValueError as e:
            problems.add(f"{place}{line}", e)
    return from_examples(examples, kept, place)


def _check_names(way: _Way) -> None:
    if wrong := renamings.check_names(way.names, way.task):
        raise DataError(*wrong)


def _plain(row: Any) -> Row | ValueError:
    if not isinstance(row, Mapping):
        return ValueError(f"a dict of columns was expected, found {row!r}; write for example {{'text': ...}}")
    return dict(row)
