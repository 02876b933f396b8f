"""Readers of text files with one row per line, record or object.

A reader yields (line, row) for each row of a file: the line where the row begins, counted from 1, and its values as
the file has them. In the place of a row that cannot be read it yields a ValueError: what is wrong; what to do.
Trouble that makes the rest of the file unreadable is a DataError.
"""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from hf_tasks.errors import DataError
from hf_tasks.tasks.base import Row

Rows = Iterator[tuple[int, Row | ValueError]]


def read_csv(lines: Iterable[str], name: str) -> Rows:
    """Comma-separated values (RFC 4180), the first record naming the columns; blank lines are no rows."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        records = _csv_records(lines, name)
        _, header = next(records, (1, []))
        if isinstance(header, ValueError):
            raise DataError(f"{name}:1: {header}")
        yield from _table(header, records, name, ",")
    finally:
        csv.field_size_limit(limit)


def read_tsv(lines: Iterable[str], name: str) -> Rows:
    """Tab-separated values without quoting, the first line naming the columns; blank lines are no rows."""
    numbered = enumerate(map(_bare, lines), 1)
    records = ((number, line.split("\t")) for number, line in numbered if line)
    _, header = next(records, (1, []))
    yield from _table(header, records, name, "\t")


def read_text(lines: Iterable[str], name: str) -> Rows:
    """One text a line; a blank line is an empty text, unless it is the last."""
    for line, following in _with_next(enumerate(map(_bare, lines), 1)):
        if line[1] or following:
            yield line[0], {"text": line[1]}


def read_jsonl(lines: Iterable[str], name: str) -> Rows:
    """One JSON object a line; blank lines are no rows."""
    decode = json.JSONDecoder(object_pairs_hook=_unique).decode
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield number, _object(decode(line))
        except json.JSONDecodeError as e:
            yield number, ValueError(f"not valid JSON in column {e.colno}: {e.msg}; mend the line")
        except RecursionError:
            yield number, ValueError("the JSON is nested too deeply; mend the line")
        except ValueError as e:
            yield number, e


def read_json(lines: Iterable[str], name: str) -> Rows:
    """A JSON list of objects, or the nested articles of SQuAD: {"data": [{"paragraphs": ...}]}."""
    text = "".join(lines)
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    try:
        start = _skip(text, 0)
        if text[start : start + 1] == "[":
            yield from _items(text, start + 1, decoder)
        else:
            yield from _nested(decoder.decode(text), name)
    except json.JSONDecodeError as e:
        raise DataError(f"{name}:{e.lineno}: not valid JSON in column {e.colno}: {e.msg}; mend it") from None
    except RecursionError:
        raise DataError(f"{name}: the JSON is nested too deeply; give a list of objects") from None
    except ValueError as e:
        raise DataError(f"{name}: {e}") from None


# -- csv and tsv


def _csv_records(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str] | ValueError]]:
    """(first line, fields) of each record that is not blank."""
    record: list[str] = []  # the lines of the record that is being read

    def kept() -> Iterator[str]:
        for line in lines:
            record.append(line)
            yield line

    reader = csv.reader(kept(), strict=True)
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
    """The last line of an unfinished record in which a quoted field opens: where the count of quotes turns odd."""
    opening, quotes = 0, 0
    for i, line in enumerate(record):
        before, quotes = quotes, quotes + line.count('"')
        if before % 2 == 0 and quotes % 2 == 1:
            opening = i
    return opening


def _csv_trouble(message: str) -> str:
    if "expected after" in message:
        return 'characters after a closing quote; write a quote inside a quoted text twice ("")'
    if "new-line character" in message:
        return "a carriage return outside quotes; quote the text, or end lines with a newline"
    return f"not valid CSV: {message}; mend the line"


def _table(header: list[str], records: Any, name: str, delimiter: str) -> Rows:
    """Records as rows; each must have as many fields as the header."""
    columns = [column.strip() for column in header]
    _check_header(columns, name, delimiter)
    width = len(columns)
    for line, fields in records:
        if isinstance(fields, ValueError):
            yield line, fields
        elif len(fields) != width:
            remedy = "quote a text that contains commas" if delimiter == "," else "a text cannot contain a tab"
            yield line, ValueError(f"the row has {_count(len(fields))}, the header has {width}; {remedy}")
        else:
            yield line, dict(zip(columns, fields, strict=True))


def _check_header(columns: list[str], name: str, delimiter: str) -> None:
    if not any(columns):
        raise DataError(f"{name}:1: the header is missing; write the names of the columns in the first line")
    for column in columns:
        if column and columns.count(column) > 1:
            raise DataError(f'{name}:1: column "{column}" stands twice in the header; rename one of them')
    others = {"\t": ("tabs", "name data.format: tsv"), ";": ("semicolons", "save it with commas"),
              ",": ("commas", "name data.format: csv"), "|": ("bars", "save it with commas")}  # fmt: skip
    for other, (word, remedy) in others.items():
        if len(columns) == 1 and other != delimiter and other in columns[0]:
            expected = others[delimiter][0]
            raise DataError(f"{name}:1: the columns seem to be separated by {word}, not by {expected}; {remedy}")


def _count(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields} fields"


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _with_next(items: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Each item, and whether another follows."""
    iterator = iter(items)
    for current in islice(iterator, 1):
        for following in iterator:
            yield current, True
            current = following
        yield current, False


# -- json


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" stands twice in one JSON object; remove one of them')
    return values


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, found {_kind(value)}; write {{...}} for each row")
    return value


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null", dict: "an object"}
    return kinds.get(type(value), "a number")


def _skip(text: str, at: int) -> int:
    """The place of the next character that is no blank, or the end."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _items(text: str, at: int, decoder: json.JSONDecoder) -> Rows:
    """The objects of a JSON list that opens before `at`."""
    line, counted, first = 1, 0, True
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]" and first:
            break
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
            yield line, _object(value)
        except json.JSONDecodeError:
            raise
        except ValueError as e:
            raise ValueError(f"line {line}: {e}") from None
        first = False
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("expected a comma or the end of the list", text, at)
        at += 1
    if _skip(text, at + 1) < len(text):
        raise json.JSONDecodeError("more text after the end of the list", text, _skip(text, at + 1))


def _nested(document: Any, name: str) -> Rows:
    match document:
        case {"data": [{"paragraphs": _}, *_]}:
            from hf_tasks.data import squad

            yield from squad.rows(document, name)
        case {}:
            keys = ", ".join(list(document)[:8])
            raise ValueError(
                f"a list of objects was expected, found one object with the keys {keys}; write [{{...}}, ...]"
            )
        case _:
            raise ValueError(f"a list of objects was expected, found {_kind(document)}; write [{{...}}, ...]")
