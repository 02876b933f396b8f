"""The file formats and their readers. A new format is one function and one line here."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from hf_tasks.block import did_you_mean
from hf_tasks.data import arrow, conll, json_rows, tables
from hf_tasks.data.files import COMPRESSED, lines
from hf_tasks.data.tables import Rows
from hf_tasks.errors import DataError

Reader = Callable[[BinaryIO, str], Rows]


def _of_lines(read: Callable[[Iterable[str], str], Rows]) -> Reader:
    return lambda file, name: read(lines(file, name), name)


READERS: dict[str, Reader] = {
    "csv": _of_lines(tables.read_csv),
    "tsv": _of_lines(tables.read_tsv),
    "json": _of_lines(json_rows.read_json),
    "jsonl": _of_lines(json_rows.read_jsonl),
    "text": _of_lines(tables.read_text),
    "parquet": arrow.read_parquet,
    "arrow": arrow.read_arrow,
    "conll": _of_lines(conll.read_conll),
    "conllu": _of_lines(conll.read_conllu),
    "segmented": _of_lines(conll.read_segmented),
    "slashed": _of_lines(conll.read_slashed),
}

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".arrow": "arrow", ".conll": "conll", ".bio": "conll", ".iob2": "conll", ".conllu": "conllu",
}  # fmt: skip
TEXT_SUFFIXES = (".txt", ".text")
"""Files whose format depends on the task."""


def reader_of(name: str, format: str | None, text_format: str) -> Reader:
    """The reader of a file, by its format or else by its ending; `text_format` is the format of .txt files."""
    if format:
        if format not in READERS:
            guess = did_you_mean(format, READERS)
            raise DataError(f'data.format: there is no format "{format}"{guess} (one of: {", ".join(READERS)})')
        return READERS[format]
    path = Path(name)
    suffix = (path.with_suffix("") if path.suffix.lower() in COMPRESSED else path).suffix.lower()
    known = SUFFIXES | dict.fromkeys(TEXT_SUFFIXES, text_format)
    if suffix not in known:
        found = f'the ending "{suffix}" is not known' if suffix else "the format is not known"
        endings = f"known endings are {' '.join(known)}, each also with {' '.join(COMPRESSED)}"
        raise DataError(f"{name}: {found}; name the format with data.format ({endings})")
    return READERS[known[suffix]]
