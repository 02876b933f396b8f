"""The table of file formats and their readers; a new format is one function and one line here."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from hf_tasks.core.errors import DataError
from hf_tasks.core.section import did_you_mean
from hf_tasks.data.readers import arrow, conll, delimited, excel, json_rows
from hf_tasks.data.readers.compression import COMPRESSED, LARGEST_JSON, LONGEST_LINE, lines, recoded
from hf_tasks.data.readers.delimited import Rows

Reader = Callable[[BinaryIO, str], Rows]


def _of_lines(read: Callable[[Iterable[str], str], Rows], longest: int = LONGEST_LINE) -> Reader:
    return lambda file, name: read(lines(file, name, longest), name)


def _recoded(read: Reader, encoding: str) -> Reader:
    return lambda file, name: read(recoded(file, name, encoding), name)


TABLES: dict[str, Callable[..., Rows]] = {"csv": delimited.read_csv, "tsv": delimited.read_tsv}

READERS: dict[str, Reader] = {
    **{name: _of_lines(read) for name, read in TABLES.items()},
    "json": _of_lines(json_rows.read_json, LARGEST_JSON),
    "jsonl": _of_lines(json_rows.read_jsonl),
    "text": _of_lines(delimited.read_text),
    "fasttext": _of_lines(delimited.read_fasttext),
    "parquet": arrow.read_parquet,
    "arrow": arrow.read_arrow,
    "excel": excel.read_excel,
    "conll": _of_lines(conll.read_conll),
    "conllu": _of_lines(conll.read_conllu),
    "segmented": _of_lines(conll.read_segmented),
    "slashed": _of_lines(conll.read_slashed),
}

BINARY = ("parquet", "arrow", "excel")

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".arrow": "arrow", ".conll": "conll", ".bio": "conll", ".iob2": "conll", ".conllu": "conllu", ".xlsx": "excel",
}  # fmt: skip
TEXT_SUFFIXES = (".txt", ".text")
"""Endings of plain text files."""


def bare(path: Path) -> Path:
    """Return the path without the ending of a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def reader_of(
    name: str, format: str | None, column_names: Sequence[str] = (), delimiter: str | None = None,
    encoding: str | None = None,
) -> Reader:  # fmt: skip
    """Return the reader for a format, or for the file's ending if no format is given.

    `column_names`: for a table without a header line; `delimiter`: for csv; `encoding`: for text formats. Raises
    DataError for options that the format does not have.
    """
    found = format or _format_of(name)
    if found not in READERS:
        guess = did_you_mean(found, READERS)
        raise DataError(f'data.format: there is no format "{found}"{guess} (one of: {", ".join(READERS)})')
    if column_names and found not in TABLES:
        raise DataError(f"{name}: data.column_names is for csv and tsv files, this one is {found}; remove it")
    if delimiter and found != "csv":
        raise DataError(f"{name}: data.delimiter is for csv files, this one is {found}; name data.format: csv")
    if encoding and found in BINARY:
        raise DataError(f"{name}: data.encoding is for text files, this one is {found}; remove it")
    options = ({"header": column_names} if column_names else {}) | ({"delimiter": delimiter} if delimiter else {})
    reader = _of_lines(partial(TABLES[found], **options)) if options else READERS[found]
    return _recoded(reader, encoding) if encoding else reader


def _format_of(name: str) -> str:
    suffix = bare(Path(name)).suffix.lower()
    known = SUFFIXES | dict.fromkeys(TEXT_SUFFIXES, "text")
    if suffix not in known:
        found = f'the ending "{suffix}" is not known' if suffix else "the format is not known"
        endings = f"known endings are {' '.join(known)}, each also with {' '.join(COMPRESSED)}"
        raise DataError(f"{name}: {found}; name the format with data.format, or --format ({endings})")
    return known[suffix]
