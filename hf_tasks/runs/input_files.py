"""Read a file for a run with the format, delimiter, encoding and column names of its training files, if they fit."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hf_tasks import data
from hf_tasks.core.errors import DataError
from hf_tasks.core.terminal import say
from hf_tasks.data import DataSplit
from hf_tasks.data.columns import renaming
from hf_tasks.data.paths import find
from hf_tasks.data.readers import TABLES, bare
from hf_tasks.data.readers.recognise import delimiter_of, encoding_of, first_fields, holds_utf8
from hf_tasks.data.section import Data, FileOptions, Parallel
from hf_tasks.tasks import Task

REMEDIES = {
    r"data\.columns maps (\w+) to (\S+), which the file lacks; it has (.*)": r"column \2, the \1 of the training files,"
    r' is missing, and so is "\1"; the file has \3; rename its column to one of them',
    r"rename with data\.columns: \{(\w+): NAME\}": r'rename its column to "\1"',
    r"rename with data\.columns: \{(\w+): (.+)\}": r'rename "\2" to "\1"',
    r"name it with data\.columns: \{(\w+): NAME\}": r'rename it to "\1"',
    r", or name the columns? with data\.column.*": "",
    r"name data\.format: (\w+)": r"give --format \1",
    r"name the format with data\.format, or --format": "give --format",
    r"give data\.encoding, e\.g\. latin-1, or save": "save",
    r"set task\.source_language and task\.target_language": "write it",
}
"""Remedy for the data of a recipe -> remedy for a file that a run predicts or is evaluated on."""


def read(
    path: str, task: Task, section: Data, *, format: str | None = None, labelled: bool, targets: Sequence[str] = (),
    keep_rows: bool = False,
) -> DataSplit:  # fmt: skip
    """Return the examples of a file; "-" is standard input. Raises DataError."""
    try:
        options = FileOptions(format) if path == "-" else _options(path, task, section, format, labelled=labelled)
        return data.read_file(
            path, task, columns=section.columns, labelled=labelled, bad_rows=section.bad_rows if labelled else "stop",
            targets=targets, reading=options, keep_rows=keep_rows,
        )  # fmt: skip
    except DataError as e:
        raise DataError(*map(_without_keys, e.problems)) from None


def _without_keys(problem: str) -> str:
    """Return a message with remedies for a file: the keys of the run's recipe cannot be changed any more."""
    for key, remedy in REMEDIES.items():
        problem = re.sub(key, remedy, problem)
    return problem


def _options(path: str, task: Task, section: Data, format: str | None, *, labelled: bool) -> FileOptions:
    """Return the options of the training files if the file has the same ending, corrected by its first lines."""
    first = find([path], [Path()])[0]
    if format:
        options = FileOptions(format, encoding=section.encoding if section.is_like(path) else None)
    elif section.is_like(path):
        options = FileOptions("text") if isinstance(section.train, Parallel) else section.reading
    else:
        options = FileOptions(section.format if labelled else None)
    found = encoding_of(first)
    if not options.encoding and found in ("cp1252", "utf-16"):
        say(f"{first}: not UTF-8; read as {found}")
        options = replace(options, encoding=found)
    elif options.encoding and holds_utf8(first):
        options = replace(options, encoding=None)
    kind = options.format or bare(first).suffix.lower().removeprefix(".")
    if kind == "csv":
        options = replace(options, delimiter=delimiter_of(first) or options.delimiter)
    if kind in TABLES and options.column_names and not labelled:
        fields = first_fields(first, options.delimiter or "," if kind == "csv" else "\t")
        options = replace(options, column_names=_column_names(fields, task, section))
    return options


def _column_names(first: Sequence[str], task: Task, section: Data) -> tuple[str, ...]:
    """Return the names of the columns of an unlabelled table, () if its first line is a header.

    The targets are omitted if the first line has as many fields as there are other columns.
    """
    try:
        renaming(first, section.columns, task, labelled=False)
    except ValueError:
        mapped = (section.columns.get(name, name) for name in task.columns.targets)
        targets = {name for names in mapped for name in ((names,) if isinstance(names, str) else names)}
        others = tuple(name for name in section.column_names if name not in targets)
        return others if len(first) == len(others) else section.column_names
    return ()
