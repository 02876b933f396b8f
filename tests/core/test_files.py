"""Predictions as JSON lines and as CSV."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from hf_tasks.core.errors import DataError
from hf_tasks.core.files import flatten, top_probabilities, writer

ODD = ["two\nlines", "a\rb", "a\r\nb", 'say "hi", please', "", " blanks ", "1.0", "Zoë 好 \u2028", ";|\t"]


def written(rows: list[dict[str, Any]], path: Path) -> str:
    with writer(path) as write:
        write(rows)
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def test_csv_has_a_column_for_each_value(tmp_path: Path) -> None:
    rows = [{"label": "a", "score": 0.5, "probabilities": {"a": 0.5, "b": 0.25}}, {"label": "b", "tags": ["O", "B-x"]}]
    assert written(rows, tmp_path / "out.csv") == (
        '"label","score","probabilities.a","probabilities.b","tags"\n'
        '"a",0.5,0.5,0.25,""\n'
        '"b","","","","[""O"", ""B-x""]"\n'
    )


def test_csv_gives_every_value_back(tmp_path: Path) -> None:
    written([{"answer": text, "n": i} for i, text in enumerate(ODD)], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"answer": text, "n": str(i)} for i, text in enumerate(ODD)]


def test_jsonl_gives_every_value_back_one_a_line(tmp_path: Path) -> None:
    rows = [{"answer": text, "nbest": [{"text": text, "score": 0.1}]} for text in ODD]
    text = written(rows, tmp_path / "out.jsonl")
    assert text.endswith("\n")
    assert [json.loads(line) for line in text[:-1].split("\n")] == rows
    assert "Zoë 好" in text


def test_no_rows_are_an_empty_file(tmp_path: Path) -> None:
    assert written([], tmp_path / "out.jsonl") == ""


def test_flat_goes_all_the_way_down() -> None:
    row = {"a": {"b": {"c": 1}, "d": [1, {"e": 2}]}, "f": [], "g": None, "h": True}
    assert flatten(row) == {"a.b.c": 1, "a.d": '[1, {"e": 2}]', "f": "[]", "g": None, "h": True}


def test_highest_keeps_the_best_in_order_and_other_rows_as_they_are() -> None:
    row = {"label": "b", "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}}
    assert list(top_probabilities(row, 2)["probabilities"].items()) == [("b", 0.5), ("c", 0.3)]
    assert list(top_probabilities(row, 9)["probabilities"]) == ["b", "c", "a"]
    assert row["probabilities"] == {"a": 0.2, "b": 0.5, "c": 0.3}
    assert top_probabilities({"score": 1.0}, 1) == {"score": 1.0}


def test_standard_output_gets_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with writer(None) as write:
        write([{"label": "é"}, {"label": "b"}])
    assert capsys.readouterr().out == '{"label": "é"}\n{"label": "b"}\n'


@pytest.mark.parametrize("name", ["out.txt", "out", "out.json"])
def test_other_endings_are_refused_before_the_work(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(DataError) as e, writer(path):
        raise AssertionError("the work began")
    assert str(e.value) == f"{path}: predictions are written as .jsonl, .csv, .parquet; give the file such an ending"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_known_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.csv"
    with pytest.raises(DataError) as e, writer(path):
        raise AssertionError("the work began")
    assert str(e.value) == f"{path}: cannot be written: No such file or directory; choose another file with -o"


def test_a_name_that_is_a_folder_s_is_known_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.mkdir()
    with pytest.raises(DataError) as e, writer(path):
        pass
    assert str(e.value) == f"{path}: cannot be written: Is a directory; choose another file with -o"
    assert list(tmp_path.iterdir()) == [path]


def test_trouble_of_the_work_itself_is_not_taken_for_the_file_s(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="the model"), writer(tmp_path / "out.csv"):
        raise PermissionError("the model cannot be read")
    assert list(tmp_path.iterdir()) == []


def test_broken_off_work_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), writer(path) as write:
        write([{"label": "a"}])
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"out.jsonl": "old"}


def test_texts_are_a_line_each_and_a_break_inside_one_shifts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prediction": text, "cut": False} for text in ("one", "two\nlines\r\nand three", "", "a\u2028b")]
    with writer(tmp_path / "out.txt", texts=True) as write:
        write(rows)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "one\ntwo lines and three\n\na b\n"
    assert capsys.readouterr().err == "2 predictions have line breaks, written as blanks; a .jsonl file keeps them\n"
    with writer(tmp_path / "out.jsonl", texts=True) as write:
        write(rows)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["prediction"] for line in lines[:4]] == [row["prediction"] for row in rows]


def test_only_texts_are_written_as_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError) as e, writer(tmp_path / "out.txt"):
        pass
    assert str(e.value) == (
        f"{tmp_path}/out.txt: predictions are written as .jsonl, .csv, .parquet; give the file such an ending"
    )
    with pytest.raises(DataError) as e, writer(tmp_path / "out.tsv", texts=True):
        pass
    assert "written as .jsonl, .csv, .parquet, .txt;" in str(e.value)


def test_parquet_keeps_lists_and_flattens_probabilities(tmp_path: Path) -> None:
    with writer(tmp_path / "out.parquet") as write:
        write([{"id": 1, "tags": ["A", "B"], "probabilities": {"yes": 0.25}}, {"id": "x", "more": 2.0}])
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == [
        {"id": "1", "tags": ["A", "B"], "probabilities.yes": 0.25, "more": None},
        {"id": "x", "tags": None, "probabilities.yes": None, "more": 2.0},
    ]
