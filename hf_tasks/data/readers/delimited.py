"""Readers of csv, tsv and plain text files.

A reader yields (line, row): the first line of the row, counted from 1, and its values. For a row that cannot be read
it yields (line, ValueError) with the message. It raises DataError if the rest of the file cannot be read.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import LONGEST_LINE
from hf_tasks.tasks.types import RawRow

FASTTEXT = "__label__"
"""fastText's prefix of a label."""
Rows = Iterator[tuple[int, RawRow | ValueError]]


class RowNumber(int):
    """The number of a row, counted from 1, in files whose rows have no line number."""

    unit = "row"


class QuestionNumber(RowNumber):
    unit = "question"


def before_number(name: str, number: int) -> str:
    """Return the prefix of a row's number in messages: `train.csv:` for a line, `train.json: question ` else."""
    return f"{name}: {number.unit} " if isinstance(number, RowNumber) else f"{name}:"


def read_csv(lines: Iterable[str], name: str, header: Sequence[str] = (), delimiter: str = ",") -> Rows:
    """Read comma-separated values (RFC 4180) or another delimiter; the first record is the header unless it is given.

    Blank lines are skipped.
    """
    limit = csv.field_size_limit(LONGEST_LINE)
    try:
        records = _csv_records(lines, name, delimiter)
        first = list(header) or next(records, (1, []))[1]
        if isinstance(first, ValueError):
            raise DataError(f"{name}:1: {first}")
        yield from _table(first, records, name, delimiter, given=bool(header))
    finally:
        csv.field_size_limit(limit)


def read_tsv(lines: Iterable[str], name: str, header: Sequence[str] = ()) -> Rows:
    """Read tab-separated values without quoting; the first line is the header unless it is given.

    Blank lines are skipped.
    """
    numbered = enumerate(map(_bare, lines), 1)
    records = ((number, line.split("\t")) for number, line in numbered if line)
    first = list(header) or next(records, (1, []))[1]
    yield from _table(first, records, name, "\t", given=bool(header))


def read_text(lines: Iterable[str], name: str) -> Rows:
    """Read one text per line; a blank line is an empty text."""
    for number, line in enumerate(map(_bare, lines), 1):
        yield number, {"text": line}


def read_fasttext(lines: Iterable[str], name: str) -> Rows:
    """Read fastText's format (https://fasttext.cc/docs/en/supervised-tutorial.html): `__label__` labels, then the text.

    Rows have `label` if no line has several labels, else `labels`; blank lines are skipped.
    """
    rows: list[tuple[int, list[str], str]] = []
    for number, line in enumerate(map(_bare, lines), 1):
        words = line.split(" ")
        count = next((i for i, word in enumerate(words) if not word.startswith(FASTTEXT)), len(words))
        if line.strip() and not count:
            rows.append((number, [], line))
        elif line.strip():
            rows.append((number, [word.removeprefix(FASTTEXT) for word in words[:count]], " ".join(words[count:])))
    several = any(len(labels) > 1 for _, labels, _ in rows)
    for number, labels, text in rows:
        yield number, {"text": text} | ({"labels": labels} if several else {"label": labels[0]} if labels else {})


def _csv_records(lines: Iterable[str], name: str, delimiter: str) -> Iterator[tuple[int, list[str] | ValueError]]:
    """Yield (first line, fields) of each record that is not blank."""
    record: list[str] = []  # the lines of the current record

    def kept() -> Iterator[str]:
        for line in lines:
            record.append(line)
            yield line

    reader = csv.reader(kept(), strict=True, delimiter=delimiter)
    start = 1
    while True:
        try:
            for fields in reader:
                if fields:
                    yield start, fields
                record.clear()
                start = reader.line_num + 1
            return
        except csv.Error as e:
            if "unexpected end" in str(e):
                opened = start + _last_opening(record)
                raise DataError(
                    f'{name}:{opened}: a quote (") opens here and never closes; close or remove it'
                ) from None
            yield start, ValueError(_csv_trouble(str(e)))
            record.clear()
            start = reader.line_num + 1


def _last_opening(record: list[str]) -> int:
    """Return the last line of an unfinished record in which a quoted field opens; doubled quotes are escapes."""
    opening, inside = 0, False
    for i, line in enumerate(record):
        quotes = line.replace('""', "").count('"')
        if quotes > inside and (quotes + inside) % 2 == 1:
            opening = i
        inside = (quotes + inside) % 2 == 1
    return opening


def _csv_trouble(message: str) -> str:
    if "expected after" in message:
        return 'characters after a closing quote; write a quote inside a quoted text twice ("")'
    if "field limit" in message:
        return f"a text has more than {LONGEST_LINE:,} characters; is a quote missing before?"
    if "new-line character" in message:
        return "a carriage return outside quotes; quote the text, or end lines with a newline"
    return f"not valid CSV: {message}; correct the line"


def _table(header: list[str], records: Any, name: str, delimiter: str, *, given: bool) -> Rows:
    """Yield records as rows, with a ValueError for each record whose number of fields differs from the header.

    `given`: the header comes from data.column_names.
    """
    columns = [column.strip() for column in header]
    if not given:
        _check_header(columns, name, delimiter)
    width = len(columns)
    lower = [name.lower() for name in header]
    first = lower[0] if lower else ""
    counted = f"data.column_names has {width}" if given else f"the header has {width}"
    for line, fields in records:
        if isinstance(fields, ValueError):
            yield line, fields
        elif fields[0].lower() == first and [field.lower() for field in fields] == lower:
            also = ", or data.column_names" if given and line == 1 else ""
            yield line, ValueError(f"the header is {'' if also else 'repeated '}here; remove the line{also}")
        elif len(fields) != width:
            quote = f"quote a text that contains {'commas' if delimiter == ',' else repr(delimiter)}"
            remedy = "a text cannot contain a tab" if delimiter == "\t" else quote
            yield line, ValueError(f"the row has {_count(len(fields))}, {counted}; {remedy}")
        else:
            yield line, dict(zip(columns, fields, strict=True))


def _check_header(columns: list[str], name: str, delimiter: str) -> None:
    if not any(columns):
        raise DataError(f"{name}:1: the header is missing; write the names of the columns in the first line")
    for column in filter(None, columns):
        first, *others = [i for i, other in enumerate(columns, 1) if other == column]
        if others:
            places = f"fields {first} and {others[0]}"
            raise DataError(f'{name}:1: the header has column "{column}" twice ({places}); rename one of them')
    csv_with = "name data.format: csv and data.delimiter" if delimiter == "\t" else "name data.delimiter"
    delimiters = {"\t": ("tabs", "name data.format: tsv"), ";": ("semicolons", f'{csv_with}: ";"'),
                  ",": ("commas", "name data.format: csv"), "|": ("bars", f'{csv_with}: "|"')}  # fmt: skip
    for other, (word, remedy) in delimiters.items():
        if len(columns) == 1 and other != delimiter and other in columns[0]:
            expected = delimiters.get(delimiter, (repr(delimiter),))[0]
            raise DataError(f"{name}:1: the columns seem to be separated by {word}, not by {expected}; {remedy}")


def _count(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields} fields"


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
