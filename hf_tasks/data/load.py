"""Read the rows of files, a Hub dataset or Python objects into a split of typed examples.

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
from hf_tasks.core.progress import progress
from hf_tasks.data import columns as renamings
from hf_tasks.data.columns import FILE_HAS, ROWS_HAVE, Names
from hf_tasks.data.dataset import DataSplit, from_examples, join, stack
from hf_tasks.data.holdout import sample
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
"""Maximum number of rows that are Python objects at a time."""


def read_split(
    data: Data, name: Literal["train", "validation", "test"], task: Task, *, seed: int,
    recipe_dir: Path | None = None, labelled: bool = True, report_errors: bool = True,
    whole: bool = False,
) -> DataSplit | None:  # fmt: skip
    """Read a split of a recipe; returns None if the recipe does not name it. Raises DataError.

    Paths are looked up in `data.data_dir` if it is given, else in the current directory, then in `recipe_dir`. A file
    named twice is read once. `seed` draws the rows if `data.max_examples` is set; with `whole`, all rows are returned.
    With `report_errors=False`, bad rows are kept for `check_splits`, which reports them together with its own errors.
    """
    named = data.split(name)
    if named is None:
        return None
    options = _Options(task, data.columns, labelled, data.bad_rows, report_errors=report_errors)
    if isinstance(named, Parallel):
        split = _from_parallel(named, folders(data.data_dir, recipe_dir), options)
    else:
        several = (named,) if isinstance(named, str) else named
        if data.path:
            split = _from_hub(data, "+".join(several), options)
        else:
            paths = find(several, folders(data.data_dir, recipe_dir))
            split = _from_files(list(map(str, paths)), data.reading, options)
    return split if whole else sample(split, task, data.max_examples, seed)


def read_file(
    path: str, task: Task, *, format: str | None = None, columns: Names | None = None, labelled: bool = True,
    bad_rows: BadRows = "stop", targets: Sequence[str] = (), keep_rows: bool = False,
    reading: FileOptions | None = None,
) -> DataSplit:  # fmt: skip
    """Read the examples of one file; "-" is standard input. Raises DataError.

    `targets`: files with the references of a text file, line by line. `keep_rows`: keep all columns of the file in
    `rows_read`. `reading` replaces `format`.
    """
    remedy = "correct these rows or remove them"
    options = _Options(task, columns or {}, labelled, bad_rows, remedy=remedy, keep_rows=keep_rows)
    if targets:
        return _from_parallel(Parallel(source=path, target=tuple(targets)), [Path()], options)
    paths = [path] if path == "-" else list(map(str, find([path], [Path()])))
    return _from_files(paths, reading or FileOptions(format), options)


def read_rows(
    rows: Sequence[Mapping[str, Any] | ValueError], task: Task, *, labelled: bool, columns: Names | None = None
) -> DataSplit:
    """Convert rows to examples and keep the rows in `rows_read`. Raises DataError.

    `columns`: {task's name: name in the rows}. A ValueError in the place of a row is reported as its error.
    """
    if not len(rows):
        raise DataError("there are no rows; give at least one")
    problems = RowErrors("stop", remedy="correct these rows or leave them out")
    options = _Options(task, columns or {}, labelled, advice=ROWS_HAVE, keep_rows=True)
    split = _from_rows(enumerate(map(_as_dict, rows), 1), "", options, problems)
    problems.raise_if_any(len(split))
    return replace(split, problems=problems)


def check(split: DataSplit, task: Task, bad_rows: BadRows = "stop") -> DataSplit:
    """Return the split without the examples in which `task.issues` finds errors; raises DataError unless "drop"."""
    return check_splits([split], task, bad_rows)[0]


def check_splits(splits: Sequence[DataSplit], task: Task, bad_rows: BadRows = "stop") -> list[DataSplit]:
    """Check several splits as `check` does and raise one DataError with the errors of all, also those of reading.

    The errors of splits that were read from the same files are in the order of the lines.
    """
    problems: dict[int, RowErrors] = {}
    good: dict[int, list[list[int]]] = {}
    checked = []
    for split in splits:
        files = id(split.problems)
        dropped = split.dropped if files not in problems else 0  # counted once for splits of the same files
        found = problems.setdefault(files, split.problems.copy(bad_rows))
        wrong = _task_errors(split, task)
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
            found.raise_if_any(min(map(len, good[files])))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken)
    return checked


def _task_errors(split: DataSplit, task: Task) -> dict[int, str]:
    """Return {example: message} of the errors that `task.issues` finds."""
    found: dict[int, list[str]] = {}
    for row, text in task.issues(split.examples).errors:
        found.setdefault(row, []).append(text)
    return {row: "; ".join(texts) for row, texts in sorted(found.items())}


@dataclass(frozen=True)
class _Options:
    """How rows are converted to examples."""

    task: Task
    names: Names
    labelled: bool
    bad_rows: BadRows = "stop"
    advice: str = FILE_HAS
    remedy: str = "data.bad_rows: drop leaves such rows out"
    report_errors: bool = True
    """Whether bad rows raise an error at once; otherwise `check` reports them."""
    keep_rows: bool = False
    """Whether the rows are kept with all their columns, for output next to predictions."""

    def row_errors(self) -> RowErrors:
        return RowErrors(self.bad_rows, self.remedy)

    def finish(self, split: DataSplit, problems: RowErrors) -> DataSplit:
        """Raise the row errors, or store them in the split for `check`."""
        if self.report_errors or not len(split):
            problems.raise_if_any(len(split))
            return replace(split, dropped=problems.count, problems=self.row_errors())
        return replace(split, dropped=problems.count, problems=problems)


def _from_files(paths: Sequence[str], reading: FileOptions, options: _Options) -> DataSplit:
    _check_names(options)
    problems = options.row_errors()
    broken: list[str] = []
    splits: list[DataSplit] = []
    for path in paths:
        try:
            splits.append(_from_file(path, reading, options, problems))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken, *problems.shown)
    return options.finish(join(splits), problems)


def _from_file(path: str, reading: FileOptions, options: _Options, problems: RowErrors) -> DataSplit:
    name = STDIN if path == "-" else path
    reader = reader_of(name, reading.format, reading.column_names, reading.delimiter, reading.encoding)
    with opened(path) as file:
        split = _from_rows(reader(file, name), name, options, problems)
    return replace(split, files={name: sha256(Path(path))} if Path(path).is_file() else {})


def _from_parallel(named: Parallel, folders: Sequence[Path], options: _Options) -> DataSplit:
    """Read parallel files; an example's location is that of its source."""
    _check_names(options)
    problems = options.row_errors()
    broken: list[str] = []
    splits = []
    for source, targets in parallel.files(named, folders):
        try:
            split = _from_rows(parallel.rows(source, targets, labelled=options.labelled), source, options, problems)
        except DataError as e:
            broken += e.problems
        else:
            splits.append(replace(split, files={path: sha256(Path(path)) for path in (source, *targets)}))
    if broken:
        raise DataError(*broken, *problems.shown)
    return options.finish(join(splits), problems)


def _from_hub(data: Data, name: str, options: _Options) -> DataSplit:
    _check_names(options)
    problems = options.row_errors()
    rows, files = arrow.load(data, name)
    split = _from_rows(rows, f"{data.path} {name}", options, problems)
    return replace(options.finish(split, problems), files=files)


def _from_rows(
    rows: Iterable[tuple[int, RawRow | ValueError]], name: str, options: _Options, problems: RowErrors
) -> DataSplit:
    """Convert the rows of the file `name` ("" for Python objects) and add bad rows to `problems`.

    Raises DataError if no row can be read.
    """
    before = problems.count
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{name}: there are no rows; give at least one")
    place = before_number(name, first[0]) if name else "row "
    rows = chain([first], rows)
    kept = list(rows) if options.keep_rows else []
    chunks, found = _raw(kept or rows, place, renamings.wanted(options.names, options.task), problems)
    if not len(chunks):
        if problems.count == before:
            raise DataError(f"{name}: there are no rows; give at least one")
        return from_examples([], [], place)
    try:
        rename = renamings.renaming(found, options.names, options.task, options.labelled, options.advice)
    except ValueError as e:
        raise DataError(f"{name}: {e}" if isinstance(first[0], RowNumber) else f"{place}1: {e}") from None
    splits = []
    with progress(len(chunks), "Parsing", "rows", delay=2) as bar:
        for lines, raw in chunks.taken():
            splits.append(_examples(lines, raw, rename, place, options, problems))
            bar.update(len(lines))
    split = splits[0] if len(splits) == 1 else stack(splits)
    complete = len(kept) == len(split)  # bad rows are dropped or reported
    return replace(split, rows_read=tuple(row for _, row in kept if isinstance(row, dict))) if complete else split


@dataclass
class _Chunks:
    """Line numbers and rows; all chunks but the last are pickled, since millions of dicts would fill the memory."""

    lines: list[int] = field(default_factory=list)
    rows: list[RawRow] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return CHUNK * len(self.packed) + len(self.lines)

    def add(self, line: int, row: RawRow) -> None:
        if len(self.lines) == CHUNK:
            self.packed.append(pickle.dumps((self.lines, self.rows)))
            self.lines, self.rows = [], []
        self.lines.append(line)
        self.rows.append(row)

    def taken(self) -> Iterator[tuple[list[int], list[RawRow]]]:
        """Yield the chunks in order and free each one."""
        for number, chunk in enumerate(self.packed):
            self.packed[number] = b""
            yield pickle.loads(chunk)
        yield self.lines, self.rows


def _raw(
    rows: Iterable[tuple[int, RawRow | ValueError]], place: str, wanted: set[str], problems: RowErrors
) -> tuple[_Chunks, list[str]]:
    """Return the rows with the wanted columns only, and the names of all columns."""
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
    lines: list[int], raw: list[RawRow], rename: renamings.Renaming, place: str, options: _Options, problems: RowErrors
) -> DataSplit:
    examples, kept = [], []
    columns = options.task.columns
    hidden = {*(() if options.labelled else columns.targets)} - {*columns.optional}  # a dict of languages can hold one
    for line, row in zip(lines, raw, strict=True):
        try:
            example = options.task.parse(rename(row))
            examples.append({name: value for name, value in example.items() if name not in hidden})
            kept.append(line)
        except ValueError as e:
            problems.add(place, line, f"{place}{line}", e)
    return from_examples(examples, kept, place)


def _check_names(options: _Options) -> None:
    if wrong := renamings.check_names(options.names, options.task):
        raise DataError(*wrong)


def _as_dict(row: Any) -> RawRow | ValueError:
    if isinstance(row, ValueError):
        return row
    if not isinstance(row, Mapping):
        return ValueError(f"a dict of columns was expected, found {row!r}; write for example {{'text': ...}}")
    return dict(row)
