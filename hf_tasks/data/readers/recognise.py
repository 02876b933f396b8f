"""Detect the format, the delimiter and the encoding of a file from its first lines."""

import codecs
import csv
import json
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from hf_tasks.data.readers import BINARY, SUFFIXES, bare
from hf_tasks.data.readers.compression import LARGEST_JSON, LONGEST_LINE, is_utf8, lines, opened, recoded
from hf_tasks.data.readers.delimited import FASTTEXT

LOOKED_AT = 200
"""Number of lines from which the format is detected."""
SNIFFED = 64 << 20
"""Number of bytes from which the encoding is detected."""
WESTERN = 0.2
"""Largest share of bytes above 0x7F in Western European text; other alphabets have more."""
FEW_LINES = 5
"""In fewer lines the numbers of semicolons can be equal by chance."""
DELIMITERS = (",", ";", "|")

_IDEOGRAPH = re.compile(r"[\u4e00-\u9fff]")


def format_of(path: Path) -> str:
    """Detect the format of a file from its ending and its first lines. Raises DataError if it cannot be read."""
    suffix = bare(path).suffix.lower()
    named = SUFFIXES.get(suffix)
    if named not in (None, "csv", "tsv", "json"):
        return named
    first = _first_lines(path, 2, LARGEST_JSON) if named == "json" else _first_lines(path)
    if named == "json":
        return "jsonl" if len(first) > 1 and all(map(_is_object, first)) else "json"
    if named == "csv":
        return "tsv" if "\t" in first[0] and "," not in first[0].partition("\t")[0] else "csv"
    found = _looks_like([line.rstrip("\r\n") for line in first])
    return found if named is None or found in ("conll", "conllu") else named


def encoding_of(path: Path) -> str:
    """Detect the encoding: `ascii`, `utf-8`, `utf-16`, or `cp1252` for other Western European text. Raises DataError.

    Returns `utf-8` for an unknown encoding, so that reading the file gives the error message.
    """
    if SUFFIXES.get(bare(path).suffix.lower()) in BINARY:
        return "utf-8"
    with opened(str(path)) as file:
        first = file.read(SNIFFED)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if first.isascii():
        return "ascii"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        above = sum(len(piece) for piece in re.findall(rb"[\x80-\xff]+", first))
        return "cp1252" if above < WESTERN * len(first) and b"\0" not in first else "utf-8"
    return "utf-8"


def holds_utf8(path: Path) -> bool:
    """Whether a file is UTF-8 text and not only ASCII. Raises DataError if it cannot be read."""
    with opened(str(path)) as file:
        return is_utf8(file.read(SNIFFED))


def delimiter_of(path: Path) -> str | None:
    """Return the character that gives the first lines of a csv file equal numbers of fields, or None."""
    first = _first_lines(path, LOOKED_AT)
    for delimiter in DELIMITERS:
        try:
            widths = {len(fields) for fields in csv.reader(first, delimiter=delimiter) if fields}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return None


def first_fields(path: Path, delimiter: str) -> list[str]:
    """Return the fields of the first line of a table. Raises DataError if it cannot be read."""
    first = next(iter(_first_lines(path, 1)), "").rstrip("\r\n")
    fields = first.split("\t") if delimiter == "\t" else next(csv.reader([first], delimiter=delimiter), [])
    return [field.strip() for field in fields]


def _first_lines(path: Path, count: int = LOOKED_AT, longest: int = LONGEST_LINE) -> list[str]:
    encoding = encoding_of(path)
    with opened(str(path)) as file:
        text = file if encoding in ("ascii", "utf-8") else recoded(file, str(path), encoding)
        return list(islice(lines(text, str(path), longest), count))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _looks_like(first: list[str]) -> str:
    """Guess the format of a text file from its first lines."""
    full = [line for line in first if line.strip()]
    if not full:
        return "text"
    if all(line.startswith(FASTTEXT) for line in full):
        return "fasttext"
    tabs = {line.count("\t") for line in full if not line.startswith("#")}
    if full[0].startswith("[") and len(full[0]) < 3 or full[0].startswith("[{"):
        return "json"
    if full[0].strip() == "{" or _is_object(full[0]):
        return "jsonl" if _is_object(full[0]) else "json"
    if tabs == {9}:
        return "conllu"
    widths = {len(line.split()) for line in full if not line.startswith("-DOCSTART-")}
    if len(full) < len(first) and len(widths) == 1:
        return "conll" if 2 <= widths.pop() <= 6 else "text"
    if len(tabs) == 1 and tabs != {0}:
        return "tsv"
    words = [word for line in full for word in line.split()]
    if sum("/" in word.strip("/") and not word.startswith("http") for word in words) > 0.9 * len(words):
        return "slashed"
    ideographs = sum(len(_IDEOGRAPH.findall(word)) for word in words)
    if ideographs > 0.5 * sum(map(len, words)) and len(words) > 2 * len(full):
        return "segmented"
    return "csv" if _separated(full) else "text"


def _separated(full: Sequence[str]) -> bool:
    """Whether all lines have the same number of semicolons, or of bars."""
    counts = ({line.count(delimiter) for line in full} for delimiter in DELIMITERS[1:])
    return len(full) > FEW_LINES and any(len(count) == 1 and count != {0} for count in counts)
