"""Read a split: rows of files, of a Hub dataset, or given as dicts, to typed examples.

row --Renaming--> the task's columns --task.parse--> example, collected column by column in a DataSplit
"""

import contextlib
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from hf_tasks.core.errors import DataError
from hf_tasks.core.hashing import sha256
from hf_tasks.data import columns as renamings
from hf_tasks.data.columns import FILE_HAS, ROWS_HAVE, Names
from hf_tasks.data.dataset import DataSplit, from_examples, join, stack
from hf_tasks.data.paths import find, folders
from hf_tasks.data.readers import arrow, parallel, reader_of
from hf_tasks.data.readers.compression import STDIN, opened
from hf_tasks.data.readers.delimited import RowNumber, before_number
from hf_tasks.data.row_errors import RowErrors
from hf_tasks.data.section import Data, FileOptions, Parallel
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.types import RawRow

BadRows = Literal["stop", "drop"]
CHUNK = 10_000
"""Rows that are Python objects at once."""


def read_split(
    data: Data, name: Literal["train", "validation", "test"], task: Task, *, seed: int,
    recipe_dir: Path | None = None, labelled: bool = True, settle: bool = True,
) -> DataSplit | None:  # fmt: skip
    """Read a split that a recipe names; None where it names no such split. Raises DataError.

    Paths are looked up in the current directory, then in `recipe_dir`; with `data.data_dir`, only there. A file
    that is named twice counts once. `seed` draws the rows where `data.max_examples` is set. Without `settle`, bad rows
    are no error yet: `check_parts` reports them together with what it finds.
    """
    named = data.split(name)
    if named is None:
        return None
    way = _Way(task, data.columns, labelled, data.bad_rows, settle=settle)
    if isinstance(named, Parallel):
        split = _from_parallel(named, folders(data.data_dir, recipe_dir), way)
        return split.sample(data.max_examples, seed)
    several = (named,) if isinstance(named, str) else named
    if data.path:
        return _from_hub(data, "+".join(several), way).sample(data.max_examples, seed)
    paths = find(several, folders(data.data_dir, recipe_dir))
    return _from_files(list(map(str, paths)), data.reading, way).sample(data.max_examples, seed)


def read_file(
    path: str, task: Task, *, format: str | None = None, columns: Names | None = None, labelled: bool = True,
    bad_rows: BadRows = "stop", targets: Sequence[str] = (), keep_rows: bool = False,
    reading: FileOptions | None = None,
) -> DataSplit:  # fmt: skip
    """The examples of one file; "-" is standard input. `targets`: parallel files of a text file. `keep_rows`: with all
    columns of the file in `rows_read`. `reading` replaces `format`. Raises DataError."""
    way = _Way(task, columns or {}, labelled, bad_rows, remedy="correct these rows or remove them", keep_rows=keep_rows)
    if targets:
        return _from_parallel(Parallel(source=path, target=tuple(targets)), [Path()], way)
    paths = [path] if path == "-" else list(map(str, find([path], [Path()])))
    return _from_files(paths, reading or FileOptions(format), way)


def read_rows(
    rows: Sequence[Mapping[str, Any] | ValueError], task: Task, *, labelled: bool, columns: Names | None = None
) -> DataSplit:
    """The examples in rows of canonical columns, or of those that `columns` names; a ValueError in place of a row says
    what is wrong with it. The rows themselves are kept. Raises DataError."""
    if not len(rows):
        raise DataError("there are no rows; give at least one")
    problems = RowErrors("stop", remedy="correct these rows or leave them out")
    way = _Way(task, columns or {}, labelled, advice=ROWS_HAVE, keep_rows=True)
    split = _from_rows(enumerate(map(_plain, rows), 1), "", way, problems)
    problems.settle(len(split))
    return replace(split, problems=problems)


def check(split: DataSplit, task: Task, bad_rows: BadRows = "stop") -> DataSplit:
    """The split without the rows in which `task.issues` finds errors: they stop with DataError or are dropped."""
    return check_parts([split], task, bad_rows)[0]


def check_parts(splits: Sequence[DataSplit], task: Task, bad_rows: BadRows = "stop") -> list[DataSplit]:
    """As `check`, with the problems of all splits in one DataError: also those of reading, and in the order of the file
    where splits were read from the same files."""
    problems: dict[int, RowErrors] = {}
    good: dict[int, list[list[int]]] = {}
    checked = []
    for split in splits:
        files = id(split.problems)
        dropped = split.dropped if files not in problems else 0  # counted once for splits of the same files
        found = problems.setdefault(files, split.problems.copy(bad_rows))
        wrong = _wrong(split, task)
        for row, text in wrong.items():
            found.add(split.places[split.place[row]], int(split.line[row]), split.where(row), text)
        rows = [row for row in range(len(split)) if row not in wrong]
        good.setdefault(files, []).append(rows)
        kept = split.select(rows) if wrong else split
        dropped += len(wrong)
        checked.append(kept if dropped == split.dropped else replace(kept, dropped=dropped))
    broken: list[str] = []
    for files, found in problems.items():
        try:
            found.settle(min(map(len, good[files])))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken)
    return checked


def _wrong(split: DataSplit, task: Task) -> dict[int, str]:
    """{row: what is wrong with it}, by the errors that `task.issues` finds."""
    found: dict[int, list[str]] = {}
    for row, text in task.issues(split.examples).errors:
        found.setdefault(row, []).append(text)
    return {row: "; ".join(texts) for row, texts in sorted(found.items())}


@dataclass(frozen=True)
class _Way:
    """How raw rows are read."""

    task: Task
    names: Names
    labelled: bool
    bad_rows: BadRows = "stop"
    advice: str = FILE_HAS
    remedy: str = "data.bad_rows: drop leaves such rows out"
    settle: bool = True
    """Whether bad rows are an error at once; otherwise `check` reports them."""
    keep_rows: bool = False
    """Whether the rows are kept with all their columns, for output beside predictions."""

    def problems(self) -> RowErrors:
        return RowErrors(self.bad_rows, self.remedy)

    def settled(self, split: DataSplit, problems: RowErrors) -> DataSplit:
        if self.settle or not len(split):
            problems.settle(len(split))
            return replace(split, dropped=problems.count, problems=RowErrors(self.bad_rows, self.remedy))
        return replace(split, dropped=problems.count, problems=problems)


def _from_files(paths: Sequence[str], reading: FileOptions, way: _Way) -> DataSplit:
    _check_names(way)
    problems = way.problems()
    broken: list[str] = []
    splits: list[DataSplit] = []
    for path in paths:
        try:
            splits.append(_from_file(path, reading, way, problems))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken, *problems.shown)
    return way.settled(join(splits), problems)


def _from_file(path: str, reading: FileOptions, way: _Way, problems: RowErrors) -> DataSplit:
    name = STDIN if path == "-" else path
    reader = reader_of(name, reading.format, reading.column_names, reading.delimiter, reading.encoding)
    with opened(path) as file:
        split = _from_rows(reader(file, name), name, way, problems)
    return replace(split, files={name: sha256(Path(path))} if Path(path).is_file() else {})


def _from_parallel(named: Parallel, folders: Sequence[Path], way: _Way) -> DataSplit:
    """Rows stand where their source stands."""
    _check_names(way)
    problems = way.problems()
    broken: list[str] = []
    splits = []
    for source, targets in parallel.files(named, folders):
        try:
            split = _from_rows(parallel.rows(source, targets, labelled=way.labelled), source, way, problems)
        except DataError as e:
            broken += e.problems
        else:
            splits.append(replace(split, files={path: sha256(Path(path)) for path in (source, *targets)}))
    if broken:
        raise DataError(*broken, *problems.shown)
    return way.settled(join(splits), problems)


def _from_hub(data: Data, encoded: str, way: _Way) -> DataSplit:
    _check_names(way)
    problems = way.problems()
    rows, files = arrow.load(data, encoded)
    split = _from_rows(rows, f"{data.path} {encoded}", way, problems)
    return replace(way.settled(split, problems), files=files)


def _from_rows(rows: Iterable[tuple[int, RawRow | ValueError]], name: str, way: _Way, problems: RowErrors) -> DataSplit:
    """The examples in raw rows of a file, "" for plain rows; bad rows go to `problems`. Raises DataError where no row
    can be read at all."""
    before = problems.count
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{name}: there are no rows; give at least one")
    place = before_number(name, first[0]) if name else "row "
    rows = chain([first], rows)
    kept = list(rows) if way.keep_rows else []
    chunks, found = _raw(kept or rows, place, renamings.wanted(way.names, way.task), problems)
    if not chunks.lines and not chunks.packed:
        if problems.count == before:
            raise DataError(f"{name}: there are no rows; give at least one")
        return from_examples([], [], place)
    try:
        rename = renamings.renaming(found, way.names, way.task, way.labelled, way.advice)
    except ValueError as e:
        raise DataError(f"{name}: {e}" if isinstance(first[0], RowNumber) else f"{place}1: {e}") from None
    splits = [_examples(lines, raw, rename, place, way, problems) for lines, raw in chunks.taken()]
    split = splits[0] if len(splits) == 1 else stack(splits)
    whole = len(kept) == len(split)  # bad rows are dropped or reported
    return replace(split, rows_read=tuple(row for _, row in kept if isinstance(row, dict))) if whole else split


@dataclass
class _Chunks:
    """Lines and their rows; all but the last of them packed, since millions of dicts would fill the memory."""

    lines: list[int] = field(default_factory=list)
    rows: list[RawRow] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def add(self, line: int, row: RawRow) -> None:
        if len(self.lines) == CHUNK:
            self.packed.append(pickle.dumps((self.lines, self.rows)))
            self.lines, self.rows = [], []
        self.lines.append(line)
        self.rows.append(row)

    def taken(self) -> Iterator[tuple[list[int], list[RawRow]]]:
        """In order; each is gone when it was taken."""
        for number, chunk in enumerate(self.packed):
            self.packed[number] = b""
            yield pickle.loads(chunk)
        yield self.lines, self.rows


def _raw(
    rows: Iterable[tuple[int, RawRow | ValueError]], place: str, wanted: set[str], problems: RowErrors
) -> tuple[_Chunks, list[str]]:
    """The rows with the wanted columns only, and all columns that any row has."""
    chunks, found = _Chunks(), dict[str, None]()
    dotted = [name for name in wanted if "." in name]
    for line, row in rows:
        if isinstance(row, ValueError):
            problems.add(place, line, f"{place}{line}", row)
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
    lines: list[int], raw: list[RawRow], rename: renamings.Renaming, place: str, way: _Way, problems: RowErrors
) -> DataSplit:
    examples, kept = [], []
    for line, row in zip(lines, raw, strict=True):
        try:
            examples.append(way.task.parse(rename(row)))
            kept.append(line)
        except ValueError as e:
            problems.add(place, line, f"{place}{line}", e)
    return from_examples(examples, kept, place)


def _check_names(way: _Way) -> None:
    if wrong := renamings.check_names(way.names, way.task):
        raise DataError(*wrong)


def _plain(row: Any) -> RawRow | ValueError:
    if isinstance(row, ValueError):
        return row
    if not isinstance(row, Mapping):
        return ValueError(f"a dict of columns was expected, found {row!r}; write for example {{'text': ...}}")
    return dict(row)


def missing_files(data: Data, recipe_dir: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """The data files that cannot be found: (key, what is wrong; what to do). `recipe_dir`: the recipe's folder."""
    try:
        places = folders(data.data_dir, recipe_dir)
    except DataError as e:
        yield from ((("data", "data_dir"), text.removeprefix("data.data_dir: ")) for text in e.problems)
        return
    splits = {} if data.path else {"train": data.train, "validation": data.validation, "test": data.test}
    for name, named in splits.items():
        try:
            match named:
                case Parallel():
                    parallel.files(named, places)
                case _:
                    find((named,) if isinstance(named, str) else named or (), places)
        except DataError as e:
            yield from ((("data", name), text) for text in e.problems)
