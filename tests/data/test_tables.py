"""Exact lines, rows and messages of the readers of csv, tsv and plain text."""

import csv

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.delimited import read_csv, read_text, read_tsv


def _lines(text):
    return [line + "\n" for line in text.removesuffix("\n").split("\n")]


def csv_rows(text):
    return [(line, str(row) if isinstance(row, ValueError) else row) for line, row in read_csv(_lines(text), "f.csv")]


def test_csv_quoted_newlines_move_the_line_of_later_rows():
    assert csv_rows('text,label\n"a\nb\n\nc",1\n\nd,0\n') == [
        (2, {"text": "a\nb\n\nc", "label": "1"}),
        (7, {"text": "d", "label": "0"}),
    ]


@pytest.mark.parametrize(
    "field, value",
    [
        ('"say ""hi"", ok"', 'say "hi", ok'),
        ('5" disk', '5" disk'),
        ('"a\rb"', "a\rb"),
        ("a\u2028b\x85c\x0bd\x1ce", "a\u2028b\x85c\x0bd\x1ce"),
        ("", ""),
        (" a ", " a "),
        ('"' + "x" * 200_000 + '"', "x" * 200_000),
    ],
)
def test_csv_field(field, value):
    assert csv_rows(f"text,label\n{field},1\n") == [(2, {"text": value, "label": "1"})]


def test_csv_leaves_the_module_wide_field_limit_as_it_was():
    before = csv.field_size_limit()
    csv_rows("text\n" + "x" * 200_000 + "\n")
    assert csv.field_size_limit() == before


def test_csv_line_ends():
    expected = [(2, {"a": "1", "b": "2"})]
    assert list(read_csv(["a,b\r\n", "1,2\r\n"], "f")) == expected
    assert list(read_csv(["a,b\n", "1,2"], "f")) == expected
    assert list(read_csv(["a, b \n", "1,2\n", "\n"], "f")) == expected


def test_csv_bad_rows_do_not_stop_the_reading():
    assert csv_rows('a,b\n1,2,3\n4\n"x" y,5\n6,7\n8\r9,10\n') == [
        (2, "the row has 3 fields, the header has 2; quote a text that contains commas"),
        (3, "the row has 1 field, the header has 2; quote a text that contains commas"),
        (4, 'characters after a closing quote; write a quote inside a quoted text twice ("")'),
        (5, {"a": "6", "b": "7"}),
        (6, "a carriage return outside quotes; quote the text, or end lines with a newline"),
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ('a,b\n1,2\n"x\ny",3\n"z,4\n5,6\n', 'f.csv:5: a quote (") opens here and never closes; close or remove it'),
        ('a,b\n"x\ny","z\n1\n', 'f.csv:3: a quote (") opens here and never closes; close or remove it'),
        ('a,b\n"say ""x""\n""y"" \nz,1\n', 'f.csv:2: a quote (") opens here and never closes; close or remove it'),
        ("\n\n", "f.csv:1: the header is missing; write the names of the columns in the first line"),
        ("a,b,a\n1,2,3\n", 'f.csv:1: the header has column "a" twice (fields 1 and 3); rename one of them'),
        (
            "a;b\nx, y;1\n",
            'f.csv:1: the columns seem to be separated by semicolons, not by commas; name data.delimiter: ";"',
        ),
        ("a\tb\nx, y\t1\n", "f.csv:1: the columns seem to be separated by tabs, not by commas; name data.format: tsv"),
        ("a\rb\n", "f.csv:1: a carriage return outside quotes; quote the text, or end lines with a newline"),
    ],
)
def test_csv_that_cannot_be_read(text, message):
    with pytest.raises(DataError) as error:
        csv_rows(text)
    assert str(error.value) == message


def test_tsv_has_no_quoting():
    found = list(read_tsv(["text\tlabel\r\n", '"a\t1\r\n', "\n", 'b"c\u2028\r\t0\n', "1\t2\t3\n"], "f.tsv"))
    assert found[:2] == [(2, {"text": '"a', "label": "1"}), (4, {"text": 'b"c\u2028\r', "label": "0"})]
    assert str(found[2][1]) == "the row has 3 fields, the header has 2; a text cannot contain a tab"


def test_tsv_with_commas():
    with pytest.raises(DataError, match="separated by commas, not by tabs; name data.format: csv"):
        list(read_tsv(["text,label\n", "a,1\n"], "f.tsv"))


@pytest.mark.parametrize(
    "lines, texts",
    [
        (["a\n", "\n", "b\n"], {1: "a", 2: "", 3: "b"}),
        (["a\n", "b\n", "\n"], {1: "a", 2: "b", 3: ""}),
        (["a\r\n", "b"], {1: "a", 2: "b"}),
        ([" a \n"], {1: " a "}),
        (["\n"], {1: ""}),
    ],
)
def test_text(lines, texts):
    assert list(read_text(lines, "f")) == [(line, {"text": text}) for line, text in texts.items()]


def test_a_table_without_a_header():
    assert list(read_csv(["a;b\n", '"x;y";2,5\n'], "f", delimiter=";")) == [(2, {"a": "x;y", "b": "2,5"})]
    assert list(read_csv(["pos,a film\n"], "f", ["label", "text"])) == [(1, {"label": "pos", "text": "a film"})]
    ((line, error),) = read_tsv(["pos\ta\tb\n"], "f", ["label", "text"])
    assert (line, str(error)) == (1, "the row has 3 fields, data.column_names has 2; a text cannot contain a tab")
