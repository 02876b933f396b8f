"""What commands read from standard input, and where they may write."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hf_tasks.cli.input import check_output, format_of, read
from hf_tasks.core.errors import DataError
from hf_tasks.recipe import from_dict


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("{smile} I like it\n", "text"), ("plain\n", "text"), ("", "text"),
        ('{"text": "a"}\n', "jsonl"), (' { "text": "a"}', "jsonl"), ("{\n", "jsonl"),
    ],
)  # fmt: skip
def test_the_format_of_standard_input(monkeypatch: pytest.MonkeyPatch, text: str, format: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))  # type: ignore[type-var]
    assert format_of("-", None) == format
    assert sys.stdin.read() == text


def run(task: dict[str, Any], data: dict[str, Any]) -> Any:
    recipe = from_dict({"name": "x", "task": task, "data": {"train": "t.csv"} | data, "model": {"name_or_path": "m"}})
    return SimpleNamespace(recipe=recipe)


@pytest.mark.parametrize(
    ("task", "columns", "row"),
    [
        ("question-answering", {}, '{"question": "...", "context": "..."}'),
        ("text-classification", {"text_pair": "b"}, '{"text": "...", "text_pair": "..."}'),
        ("multiple-choice", {}, '{"context": "...", "choices": ["...", "..."]}'),
    ],
)
def test_plain_lines_for_rows_of_several_columns(
    monkeypatch: pytest.MonkeyPatch, task: str, columns: dict[str, str], row: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"one text\n"))))  # type: ignore[type-var]
    with pytest.raises(DataError) as e:
        read(run({"name": task}, {"columns": columns}), "-", None, labelled=False)
    assert str(e.value).endswith(f"give one JSON object on each line: {row}")


def test_a_run_remembers_how_its_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("new.dat").write_bytes("text;x\ncaf\xe9, please;1\n".encode("latin-1"))
    Path("new.jsonl").write_text('{"text": "caf\xe9"}\n', encoding="utf-8")
    data = {"train": "*.dat", "format": "csv", "delimiter": ";", "encoding": "latin-1"}
    trained = run({"name": "text-classification"}, data)
    assert read(trained, "new.dat", None, labelled=False).examples["text"][:] == ["caf\xe9, please"]
    assert read(trained, "new.jsonl", None, labelled=False).examples["text"][:] == ["caf\xe9"]
    Path("utf8.dat").write_text("text;x\ncaf\xe9;1\n", encoding="utf-8")
    assert read(trained, "utf8.dat", None, labelled=False).examples["text"][:] == ["caf\xe9"]


def test_an_output_never_replaces_the_input_and_other_files_only_on_request(tmp_path: Path) -> None:
    source, other = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("{}")
    other.write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(source)
    for output in (source, tmp_path / "link.jsonl"):
        for named in (source, tmp_path / "*.jsonl"):
            with pytest.raises(DataError, match="is the input; give another file with -o"):
                check_output(output, [str(named)], overwrite=True)
    with pytest.raises(DataError, match="exists already; add --overwrite, or give another file with -o"):
        check_output(other, [source, "-"], overwrite=False)
    check_output(other, [source], overwrite=True)
    check_output(tmp_path / "new.jsonl", [source], overwrite=False)
    check_output(None, [source], overwrite=False)


TEXTS = {"name": "text-classification", "labels": ["a", "b"]}


@pytest.mark.parametrize(
    ("columns", "name", "text", "message", "better"),
    [
        ({"text": "body"}, "p.csv", "content\nhello\n",
         'p.csv:1: column "body", the text of the training files, is missing, and so is "text"; the file has content; '
         "rename its column to one of them", "text\nhello\n"),
        ({}, "p.csv", "content,x\nhello,1\n",
         'p.csv:1: column "text" is missing; the file has content, x; rename its column to "text"',
         "text,x\nhello,1\n"),
        ({}, "p.csv", "content\nhello\n",
         'p.csv:1: column "text" is missing; the file has content; rename "content" to "text"', "text\nhello\n"),
        ({}, "p.csv", "Well hello there my dear\nbye\n",
         'p.csv:1: column "text" is missing; the first line seems to be a row (Well hello there my dear); write a '
         "header above it", "text\nWell hello there my dear\n"),
        ({}, "p.csv", "text\tx\nhello\t1\n",
         "p.csv:1: the columns seem to be separated by tabs, not by commas; give --format tsv", "tsv"),
        ({}, "p.json", '{"text": "a"}\n{"text": "b"}\n',
         "p.json:2: not valid JSON in column 1: Extra data; if each line is an object, give --format jsonl", "jsonl"),
    ],
)  # fmt: skip
def test_a_file_to_predict_gets_remedies_that_need_no_recipe(
    columns: dict[str, str], name: str, text: str, message: str, better: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    trained = run(TEXTS, {"columns": columns})
    Path(name).write_text(text)
    with pytest.raises(DataError) as e:
        read(trained, name, None, labelled=False)
    assert e.value.problems[0] == message
    format = better if better in ("tsv", "jsonl") else None
    Path(name).write_text(text if format else better)
    assert len(read(trained, name, format, labelled=False))
