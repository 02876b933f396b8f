"""Readers of JSON: one object per line, a list of objects, or the nested articles of SQuAD.

SQuAD's format has articles, their paragraphs, and the questions of each (Rajpurkar et al. 2016 and 2018).

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [
        {"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": 177}], "is_impossible": false}]}]}]}

Other keys, such as title and plausible_answers, are not read.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import LARGEST_JSON
from hf_tasks.data.readers.delimited import QuestionNumber, RowNumber, Rows
from hf_tasks.tasks.types import RawRow


def read_jsonl(lines: Iterable[str], name: str) -> Rows:
    """Read one JSON object per line; blank lines are skipped."""
    decode = json.JSONDecoder(object_pairs_hook=_unique).decode
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        if number == 1 and line.startswith("["):
            raise DataError(f"{name}:1: a JSON list, not one object per line; name data.format: json")
        try:
            yield number, _object(decode(line.rstrip()), line)
        except json.JSONDecodeError as e:
            yield number, ValueError(f"not valid JSON in column {e.colno}: {e.msg}; correct the line")
        except RecursionError:
            yield number, ValueError("the JSON is nested too deeply; correct the line")
        except ValueError as e:
            yield number, e


def read_json(lines: Iterable[str], name: str) -> Rows:
    """Read a JSON list of objects, or the nested articles of SQuAD: {"data": [{"paragraphs": ...}]}."""
    text = "".join(_within(lines, name))
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    try:
        start = _skip(text, 0)
        if text[start : start + 1] == "[":
            yield from _items(text, start + 1, decoder, name)
        else:
            yield from _nested(decoder.decode(text))
    except json.JSONDecodeError as e:
        remedy = "if each line is an object, name data.format: jsonl" if e.msg == "Extra data" else "correct it"
        raise DataError(f"{name}:{e.lineno}: not valid JSON in column {e.colno}: {e.msg}; {remedy}") from None
    except RecursionError:
        raise DataError(f"{name}: the JSON is nested too deeply; give a list of objects") from None
    except ValueError as e:
        raise DataError(f"{name}: {e}") from None


def _within(lines: Iterable[str], name: str) -> Iterator[str]:
    """Yield the lines of a file that is read at once. Raises DataError if it is too large."""
    size = 0
    for line in lines:
        size += len(line)
        if size > LARGEST_JSON:
            raise DataError(f"{name}: has more than {LARGEST_JSON:,} characters; write one object per line, as .jsonl")
        yield line


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" occurs twice in one JSON object; remove one of them')
    return values


def _object(value: Any, text: str) -> RawRow:
    """Return `value`, decoded from `text`. Raises ValueError if it is not an object or has a lone surrogate."""
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, found {_kind(value)}; write {{...}} for each row")
    if "\\ud" in text or "\\uD" in text:  # a surrogate; a lone one is not a character and cannot be stored
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as e:
            raise ValueError(f"half a character (\\u{ord(e.object[e.start]):x} alone); correct or remove it") from None
    return value


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null", dict: "an object"}
    return kinds.get(type(value), "a number")


def _skip(text: str, at: int) -> int:
    """Return the index of the next character that is not a blank, or of the end."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _items(text: str, at: int, decoder: json.JSONDecoder, name: str) -> Rows:
    """Yield the objects of a JSON list that opens before `at`."""
    line, counted = 1, 0
    at = _skip(text, at)
    more = text[at : at + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, at), at
        value, end = _decoded(text, at, decoder, f"{name}:{line}")
        try:
            yield line, _object(value, text[at:end])
        except ValueError as e:
            yield line, e
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        if not more and text[at : at + 1] != "]":
            raise json.JSONDecodeError("expected a comma or the end of the list", text, at)
        at = _skip(text, at + 1) if more else at
    if _skip(text, at + 1) < len(text):
        raise json.JSONDecodeError("more text after the end of the list", text, _skip(text, at + 1))


def _decoded(text: str, at: int, decoder: json.JSONDecoder, where: str) -> tuple[Any, int]:
    """Return the JSON value that begins at `at`, and its end."""
    try:
        return decoder.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError as e:
        raise DataError(f"{where}: {e}") from None


def _nested(document: Any) -> Rows:
    """Yield the rows of a JSON object, which can have one of several forms. Raises ValueError for others.

    SQuAD's articles; an object with one list of objects; columns, as pandas and datasets write them
    (`{"text": {"0": ...}}`, `{"text": [...]}`); objects by id (`{"q1": {...}}`).
    """
    if not isinstance(document, dict):
        raise ValueError(f"a list of objects was expected, found {_kind(document)}; write [{{...}}, ...]")
    values = list(document.values())
    lists = [key for key, value in document.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    match document:
        case {"data": [{"paragraphs": _}, *_]}:
            yield from squad_rows(document)
        case _ if len(lists) == 1:
            yield from _objects(document[lists[0]])
        case _ if lists:
            raise ValueError(f"an object with several lists of rows ({', '.join(lists)}); write each to its own file")
        case _ if len(values) > 1 and all(
            isinstance(value, list) and value and isinstance(value[0], list) for value in values
        ):
            listed = ", ".join(document)
            raise ValueError(
                f"an object with several lists ({listed}), whose rows have no names of columns; write each list to a "
                'file of its own, with rows such as {"text": ..., "label": ...}'
            )
        case _ if all(isinstance(value, list) and value for value in values) and len(set(map(len, values))) == 1:
            yield from _objects(dict(zip(document, row, strict=True)) for row in zip(*values, strict=True))
        case _ if len(values) > 1 and all(
            isinstance(value, dict) and value.keys() == values[0].keys() for value in values
        ):
            numbers = [str(number) for number in range(len(values[0]))]
            of_columns = all(list(value) == numbers for value in values)
            rows = [{key: document[key][number] for key in document} for number in numbers] if of_columns else values
            yield from _objects(rows)
        case _:
            keys = ", ".join(list(document)[:8])
            raise ValueError(
                f"a list of objects was expected, found one object with the keys {keys}; write [{{...}}, ...]"
            )


def _objects(values: Iterable[Any]) -> Rows:
    for number, value in enumerate(values, 1):
        wrong = ValueError(f"a JSON object was expected, found {_kind(value)}; write {{...}} for each row")
        yield RowNumber(number), value if isinstance(value, dict) else wrong


COLUMNS = ("id", "question", "answers", "is_impossible")


def squad_rows(document: dict[str, Any]) -> Rows:
    """Yield each question with its number, counted from 1: a row of its columns and the paragraph's context.

    An article, paragraph or question with another structure gives a ValueError.
    """
    number = 0
    for i, article in enumerate(document["data"]):
        try:
            paragraphs = _inner(article, "paragraphs", list, f"data[{i}]")
        except ValueError as e:
            yield QuestionNumber(number + 1), e
            continue
        for j, paragraph in enumerate(paragraphs):
            where = f"data[{i}].paragraphs[{j}]"
            try:
                context = _inner(paragraph, "context", str, where)
                questions = _inner(paragraph, "qas", list, where)
            except ValueError as e:
                yield QuestionNumber(number + 1), e
                continue
            for k, question in enumerate(questions):
                number += 1
                yield QuestionNumber(number), _row(question, context, f"{where}.qas[{k}]")


def _row(question: Any, context: str, where: str) -> dict[str, Any] | ValueError:
    try:
        _inner(question, "question", str, where)
    except ValueError as e:
        return e
    return {column: question[column] for column in COLUMNS if column in question} | {"context": context}


def _inner(parent: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(parent, dict):
        raise ValueError(f'{where}: an object with "{key}" was expected, found {parent!r}')
    if key not in parent:
        raise ValueError(f'{where}: has no "{key}"; add it, as SQuAD\'s files have it')
    if not isinstance(parent[key], kind):
        raise ValueError(f'{where}: "{key}" is not {"a string" if kind is str else "a list"} but {parent[key]!r}')
    return parent[key]
