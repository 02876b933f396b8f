"""Readers of text files with one row per line or record.

A reader yields (line, row) for each row of a file: the line where the row begins, counted from 1, and its values as
the file has them. In the place of a row that cannot be read it yields a ValueError: what is wrong; what to do.
Trouble that makes the rest of the file unreadable is a DataError.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import LONGEST_LINE
from hf_tasks.tasks.types import RawRow

Rows = Iterator[tuple[int, RawRow | ValueError]]


class RowNumber(int):
    """The number of a row, counted from 1, where it has no line of its own."""

    unit = "row"


class QuestionNumber(RowNumber):
    unit = "question"


def before_number(name: str, number: int) -> str:
    """What is written before the number of a row: `train.csv:` before a line, `train.json: question `."""
    return f"{name}: {number.unit} " if isinstance(number, RowNumber) else f"{name}:"


def read_csv(lines: Iterable[str], name: str, header: Sequence[str] = (), delimiter: str = ",") -> Rows:
    """Comma-separated values (RFC 4180), or with another delimiter; the first record names the columns unless `header`
    does. Blank lines are skipped."""
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
    """Tab-separated values without quoting, the first line naming the columns unless `header` does; blank lines are
    skipped."""
    numbered = enumerate(map(_bare, lines), 1)
    records = ((number, line.split("\t")) for number, line in numbered if line)
    first = list(header) or next(records, (1, []))[1]
    yield from _table(first, records, name, "\t", given=bool(header))


def read_text(lines: Iterable[str], name: str) -> Rows:
    """One text a line; a blank line is an empty text."""
    for number, line in enumerate(map(_bare, lines), 1):
        yield number, {"text": line}


def _csv_records(lines: Iterable[str], name: str, delimiter: str) -> Iterator[tuple[int, list[str] | ValueError]]:
    """(first line, fields) of each record that is not blank."""
    record: list[str] = []  # the lines of the record that is being read

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
    """The last line of an unfinished record in which a quoted field opens; a doubled quote opens and closes nothing."""
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
    """Records as rows; each must have as many fields as the header, which data.column_names may have `given`."""
    columns = [column.strip() for column in header]
    if not given:
        _check_header(columns, name, delimiter)
    width = len(columns)
    counted = f"data.column_names has {width}" if given else f"the header has {width}"
    for line, fields in records:
        if isinstance(fields, ValueError):
            yield line, fields
        elif fields == header and not given:
            yield line, ValueError("the header is repeated here; remove the line")
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
            raise DataError(f'{name}:1: column "{column}" is twice in the header ({places}); rename one of them')
    delimiters = {"\t": ("tabs", "name data.format: tsv"), ";": ("semicolons", 'name data.delimiter: ";"'),
              ",": ("commas", "name data.format: csv"), "|": ("bars", 'name data.delimiter: "|"')}  # fmt: skip
    for other, (word, remedy) in delimiters.items():
        if len(columns) == 1 and other != delimiter and other in columns[0]:
            expected = delimiters.get(delimiter, (repr(delimiter),))[0]
            raise DataError(f"{name}:1: the columns seem to be separated by {word}, not by {expected}; {remedy}")


def _count(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields} fields"


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
