"""Part: the examples of train, validation or test, and where each of them stands in its file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hf_tasks.data import columns as columns_
from hf_tasks.data import files as files_
from hf_tasks.data.columns import Names
from hf_tasks.data.readers import reader_of
from hf_tasks.data.section import Data
from hf_tasks.data.tables import Rows
from hf_tasks.errors import DataError
from hf_tasks.tasks.base import Row, Task

if TYPE_CHECKING:
    from datasets import Dataset

BadRows = Literal["stop", "drop"]
SHOWN = 10
"""Bad rows that a message lists; the others are counted."""


@dataclass(frozen=True)
class Part:
    """Typed examples in canonical columns, one row each."""

    examples: "Dataset"
    places: tuple[str, ...]
    """What stands before a row's number in `where`: `data/train.csv:` for a file, `row ` for plain rows."""
    place: np.ndarray
    """(E,) the place of each row, an index of `places`."""
    line: np.ndarray
    """(E,) the line or number of each row in its place, counted from 1."""
    dropped: int = 0
    """Rows left out because data.bad_rows is "drop"."""
    files: dict[str, str] = field(default_factory=dict)
    """Each file and its SHA-256, or each Hub data set (`id@revision`) and its fingerprint."""

    def __len__(self) -> int:
        return len(self.line)

    def where(self, row: int) -> str:
        """`data/train.csv:17`: where a row begins."""
        return f"{self.places[self.place[row]]}{self.line[row]}"

    def select(self, rows: Sequence[int] | np.ndarray) -> "Part":
        index = np.asarray(rows, dtype=np.int64)
        return replace(self, examples=self.examples.select(index), place=self.place[index], line=self.line[index])

    def rows(self) -> Iterator[Row]:
        """The examples one by one; read in batches, which is many times faster than `examples[i]`."""
        for batch in self.examples.iter(batch_size=1000):
            for values in zip(*batch.values(), strict=True):
                yield dict(zip(batch, values, strict=True))


@dataclass
class Problems:
    """What is wrong with rows: the first ones in words, the others counted."""

    bad_rows: str
    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, text: object) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{where}: {text}")

    def settle(self, rows: int) -> None:
        """Raises DataError where bad rows must not be dropped, or where none of the others is left."""
        if self.count and (self.bad_rows == "stop" or not rows):
            remedy = "data.bad_rows: drop leaves such rows out" if rows else "no row is left"
            more = f"... and {self.count - len(self.shown)} more rows; " if self.count > len(self.shown) else ""
            raise DataError(*self.shown, f"{more}{remedy}")


# -- the ways in


def read_part(
    data: Data, name: Literal["train", "validation", "test"], task: Task, *, seed: int,
    beside: Path | None = None, labelled: bool = True,
) -> Part | None:  # fmt: skip
    """One part of the data that a recipe names; None where it names no such part. Raises DataError.

    Paths are looked up from the current directory, then from `beside`; with `data.data_dir`, from there alone.
    """
    named: str | tuple[str, ...] | None = {"train": data.train, "validation": data.validation, "test": data.test}[name]
    if named is None and not (data.path and name == "train"):
        return None
    if data.path:
        part = _from_hub(data, named or name, task, labelled)
    else:
        folders = [Path(), *([beside] if beside else [])]
        if data.data_dir:
            folders = [files_.folder_of(data.data_dir, folders)]
        paths = files_.find([named] if isinstance(named, str) else named or (), folders)
        part = _from_files([str(path) for path in paths], task, data.format, data.columns, labelled, data.bad_rows)
    return _sample(part, data.max_examples, seed)


def read_file(
    path: str, task: Task, *, format: str | None = None, columns: Names | None = None, labelled: bool = True,
    bad_rows: BadRows = "stop",
) -> Part:  # fmt: skip
    """The examples of one file; "-" is standard input. Raises DataError."""
    if path != "-":
        path = str(files_.find([path], [Path()])[0])
    return _from_files([path], task, format, columns or {}, labelled, bad_rows)


def read_rows(rows: Sequence[Mapping[str, Any]], task: Task, *, labelled: bool) -> Part:
    """The examples in rows of canonical columns. Raises DataError."""
    problems = Problems("stop")
    numbered = ((number, dict(row)) for number, row in enumerate(rows, 1))
    part = _part(numbered, "row ", task, _Options({}, labelled), problems)
    problems.settle(len(part))
    return part


def check(part: Part, task: Task, bad_rows: BadRows = "stop") -> Part:
    """The part after `task.check` of each example: rows with problems stop with DataError or are dropped."""
    problems = Problems(bad_rows)
    good = []
    for row, example in enumerate(part.rows()):
        found = list(task.check(example))
        if found:
            problems.add(part.where(row), "; ".join(found))
        else:
            good.append(row)
    problems.settle(len(good))
    return replace(part.select(good), dropped=part.dropped + problems.count) if problems.count else part


# -- the pipeline


@dataclass(frozen=True)
class _Options:
    names: Names
    labelled: bool


def _from_files(
    paths: Sequence[str], task: Task, format: str | None, names: Names, labelled: bool, bad_rows: BadRows
) -> Part:
    if wrong := columns_.check_names(names, task):
        raise DataError(*wrong)
    problems = Problems(bad_rows)
    broken: list[str] = []
    parts: list[Part] = []
    for path in paths:
        try:
            parts.append(_from_file(path, task, format, _Options(names, labelled), problems))
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken, *problems.shown)
    problems.settle(sum(map(len, parts)))
    return replace(_joined(parts), dropped=problems.count)


def _from_file(path: str, task: Task, format: str | None, options: _Options, problems: Problems) -> Part:
    name = files_.STDIN if path == "-" else path
    reader = reader_of(name, format, task.text_format)
    with files_.opened(path) as file:
        part = _part(reader(file, name), f"{name}:", task, options, problems)
    return replace(part, files={} if path == "-" else {name: files_.sha256(Path(path))})


def _from_hub(data: Data, split: str | tuple[str, ...], task: Task, labelled: bool) -> Part:
    from hf_tasks.data import hub

    if wrong := columns_.check_names(data.columns, task):
        raise DataError(*wrong)
    problems = Problems(data.bad_rows)
    split = split if isinstance(split, str) else "+".join(split)
    rows, files = hub.load(data, split, columns_.wanted(data.columns, task))
    part = _part(rows, f"{data.path} {split}:", task, _Options(data.columns, labelled), problems)
    problems.settle(len(part))
    return replace(part, dropped=problems.count, files=files)


def _part(
    rows: Rows | Iterable[tuple[int, Row]], place: str, task: Task, options: _Options, problems: Problems
) -> Part:
    """The examples in raw rows; bad ones go to `problems`. Raises DataError where no row can be read at all."""
    lines, raw, found = _wanted(rows, place, columns_.wanted(options.names, task), problems)
    examples: list[Row] = []
    kept = []
    if raw:
        try:
            rename = columns_.renaming(found, options.names, task, options.labelled)
        except ValueError as e:
            raise DataError(f"{place}1: {e}") from None
        for line, row in zip(lines, raw, strict=True):
            try:
                examples.append(task.example(rename(row)))
                kept.append(line)
            except ValueError as e:
                problems.add(f"{place}{line}", e)
    elif not problems.count:
        raise DataError(f"{place.rstrip(': ')}: there are no rows; give at least one")
    place_of = np.zeros(len(kept), dtype=np.int32)
    return Part(_dataset(examples, kept, place), (place,), place_of, np.array(kept, dtype=np.int64))


def _wanted(
    rows: Rows | Iterable[tuple[int, Row]], place: str, wanted: set[str], problems: Problems
) -> tuple[list[int], list[Row], list[str]]:
    """(lines, rows with the wanted columns only, all columns that any row has)."""
    lines, raw, found = [], [], dict[str, None]()
    for line, row in rows:
        if isinstance(row, ValueError):
            problems.add(f"{place}{line}", row)
            continue
        if row.keys() != found.keys():
            found |= dict.fromkeys(row)
        lines.append(line)
        raw.append({name: row[name] for name in wanted if name in row})
    return lines, raw, list(found)


def _dataset(examples: list[Row], lines: list[int], place: str) -> "Dataset":
    import pyarrow
    from datasets import Dataset

    names = examples[0].keys() if examples else ()
    table = {}
    for name in names:
        values = [example[name] for example in examples]
        try:
            table[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, UnicodeEncodeError) as e:
            raise DataError(_odd_value(values, lines, place, name, e)) from None
    return Dataset(pyarrow.table(table))


def _odd_value(values: list[Any], lines: list[int], place: str, name: str, error: Exception) -> str:
    """The first value of a column that cannot stand with the ones before it."""
    import pyarrow

    for i, line in enumerate(lines):
        try:
            pyarrow.array([values[0], values[i]])
        except UnicodeEncodeError:
            return f"{place}{line}: the {name} holds half a character (a lone surrogate); mend its \\u escapes"
        except pyarrow.ArrowException:
            return f"{place}{line}: the {name} {values[i]!r} is of another kind than {values[0]!r} ({place}{lines[0]})"
    return f"{place.rstrip(': ')}: the column {name} cannot be stored: {error}"


def _joined(parts: Sequence[Part]) -> Part:
    """Parts of one kind after each other."""
    from datasets import concatenate_datasets

    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    first = set(parts[0].examples.column_names)
    for part in parts[1:]:
        if differing := sorted(first ^ set(part.examples.column_names)):
            names = " and ".join(p.places[0].rstrip(":") for p in (parts[0], part))
            raise DataError(f'{names}: only one of them has the column "{differing[0]}"; give both the same columns')
    return Part(
        concatenate_datasets([part.examples for part in parts]),
        tuple(part.places[0] for part in parts),
        np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts]),
        np.concatenate([part.line for part in parts]),
        files={name: digest for part in parts for name, digest in part.files.items()},
    )


def _sample(part: Part, size: int | None, seed: int) -> Part:
    """At most `size` rows, drawn by the seed, in their order."""
    if size is None or size >= len(part):
        return part
    return part.select(np.sort(np.random.default_rng(seed).choice(len(part), size, replace=False)))
