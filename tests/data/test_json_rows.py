"""Exact lines, rows and messages of the readers of JSON."""

import json

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.json_rows import read_json, read_jsonl


def read(reader, text):
    lines = text.splitlines(keepends=True)
    return [(line, str(row) if isinstance(row, ValueError) else row) for line, row in reader(lines, "f")]


def test_jsonl():
    assert read(read_jsonl, '{"a": 1}\r\n\n{"b": [null, "\\u2028"]}') == [(1, {"a": 1}), (3, {"b": [None, "\u2028"]})]


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"a": 1 "b": 2}', "not valid JSON in column 9: Expecting ',' delimiter; correct the line"),
        ('{"a": 1', "not valid JSON in column 8: Expecting ',' delimiter; correct the line"),
        ('{"a": 1} x', "not valid JSON in column 10: Extra data; correct the line"),
        ("[1]", "a JSON object was expected, found a list; write {...} for each row"),
        ("null", "a JSON object was expected, found null; write {...} for each row"),
        ("1.5", "a JSON object was expected, found a number; write {...} for each row"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" occurs twice in one JSON object; remove one of them'),
        ('{"a": {"b": 1, "b": 2}}', 'the key "b" occurs twice in one JSON object; remove one of them'),
        ('{"a": "x\\ud83d"}', "half a character (\\ud83d alone); correct or remove it"),
        ("[" * 100_000, "the JSON is nested too deeply; correct the line"),
    ],
)
def test_jsonl_bad_line_does_not_stop_the_reading(line, message):
    assert read(read_jsonl, f'{{"a": 1}}\n{line}\n{{"a": 2}}\n') == [(1, {"a": 1}), (2, message), (3, {"a": 2})]


def test_jsonl_surrogate_pair_is_one_character():
    assert read(read_jsonl, '{"a": "\\ud83d\\ude00"}') == [(1, {"a": "\U0001f600"})]


def test_jsonl_that_is_a_list():
    with pytest.raises(DataError) as error:
        read(read_jsonl, '[{"a": 1}]')
    assert str(error.value) == "f:1: a JSON list, not one object per line; name data.format: json"


@pytest.mark.parametrize("indent, lines", [(None, [1, 1]), (1, [2, 6])])
def test_json_list(indent, lines):
    objects = [{"a": "x", "b": [{}, []]}, {"a": "y\n"}]
    text = json.dumps(objects, indent=indent).replace("[\n   {},\n   []\n  ]", "[{}, []]")
    assert read(read_json, text) == list(zip(lines, objects, strict=True))


def test_json_bad_items_do_not_stop_the_reading():
    assert read(read_json, ' [\n{"a": 1},\n2,\n{"a": 3}\n] \n') == [
        (2, {"a": 1}),
        (3, "a JSON object was expected, found a number; write {...} for each row"),
        (4, {"a": 3}),
    ]


def test_json_empty_list():
    assert read(read_json, "[ ]\n") == []


@pytest.mark.parametrize(
    "text, message",
    [
        ('[{"a": 1},\n{"a": 2 "b": 3}]', "f:2: not valid JSON in column 9: Expecting ',' delimiter; correct it"),
        ('[{"a": 1}', "f:1: not valid JSON in column 10: expected a comma or the end of the list; correct it"),
        ('[{"a": 1},\n]', "f:2: not valid JSON in column 1: Expecting value; correct it"),
        ('[{"a": 1}]\nx', "f:2: not valid JSON in column 1: more text after the end of the list; correct it"),
        (
            '{"a": 1}\n{"a": 2}\n',
            "f:2: not valid JSON in column 1: Extra data; if each line is an object, name data.format: jsonl",
        ),
        ('[{"a": 1},\n{"a": 2, "a": 3}]', 'f:2: the key "a" occurs twice in one JSON object; remove one of them'),
        (
            '{"train": [], "test": []}',
            "f: a list of objects was expected, found one object with the keys train, test; write [{...}, ...]",
        ),
        ('"x"', "f: a list of objects was expected, found a string; write [{...}, ...]"),
        ("[" * 100_000, "f: the JSON is nested too deeply; give a list of objects"),
    ],
)
def test_json_that_cannot_be_read(text, message):
    with pytest.raises(DataError) as error:
        read(read_json, text)
    assert str(error.value) == message


ROWS = [(1, {"a": "x", "b": 0}), (2, {"a": "y", "b": 1})]


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 2, "names": ["n", "p"], "items": [{"a": "x", "b": 0}, {"a": "y", "b": 1}]}',
        '{"a": ["x", "y"], "b": [0, 1]}',
        '{"a": {"0": "x", "1": "y"}, "b": {"0": 0, "1": 1}}',
        '{"id7": {"a": "x", "b": 0}, "id9": {"a": "y", "b": 1}}',
    ],
)
def test_rows_under_a_key_in_columns_and_by_id(text):
    assert read(read_json, text) == ROWS


def test_several_lists_of_rows_in_one_object():
    with pytest.raises(DataError) as e:
        read(read_json, '{"train": [{"a": 1}], "dev": [{"a": 2}]}')
    assert str(e.value) == "f: an object with several lists of rows (train, dev); write each to its own file"
