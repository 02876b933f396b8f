"""Files that a run predicts: with or without targets, header, optional columns; in other delimiters and encodings."""

from pathlib import Path
from typing import Any

import pytest

from hf_tasks.cli.input import is_text
from hf_tasks.data.section import Data
from hf_tasks.runs.input_files import read
from hf_tasks.tasks import QuestionAnswering, Task, TextClassification

TASK = TextClassification(name="text-classification")
TEXTS = [{"text": "one"}, {"text": "two, three"}]


def rows(path: Path, content: str | bytes, task: Task = TASK, **section: Any) -> list[Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    data = Data(**{"train": "train.csv", **section})
    return list(read(str(path), task, data, labelled=False).rows())


@pytest.mark.parametrize(
    "content",
    [
        'one\n"two, three"\n', 'a,one\nb,"two, three"\n', 'text\none\n"two, three"\n',
        'id,text,more\n1,one,x\n2,"two, three",y\n',
    ],
)  # fmt: skip
def test_a_table_of_a_run_without_header(tmp_path: Path, content: str) -> None:
    assert rows(tmp_path / "new.csv", content, column_names=("label", "text")) == TEXTS


@pytest.mark.parametrize("content", ["nr;text\n1;one\n2;two, three\n", 'nr,text\n1,one\n2,"two, three"\n'])
@pytest.mark.parametrize("delimiter", [None, ";"])
def test_the_delimiter_is_that_of_the_file(tmp_path: Path, content: str, delimiter: str | None) -> None:
    assert rows(tmp_path / "new.csv", content, delimiter=delimiter) == TEXTS


def test_the_encoding_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.csv"
    assert rows(path, "text\ncafé au lait\n".encode("cp1252")) == [{"text": "café au lait"}]
    assert capsys.readouterr().err == f"{path}: not UTF-8; read as cp1252\n"
    assert rows(path, "text\nchat noir\n".encode("utf-16")) == [{"text": "chat noir"}]


@pytest.mark.parametrize("names", [("passage", "query"), ("context", "question")])
def test_mapped_optional_columns_are_not_needed(tmp_path: Path, names: tuple[str, str]) -> None:
    task = QuestionAnswering(name="question-answering")
    columns = {"id": "number", "context": "passage", "question": "query", "answers": "gold"}
    content = f"{names[0]},{names[1]}\nRome is old.,What is old?\n"
    (example,) = rows(tmp_path / "new.csv", content, task, columns=columns)
    assert (example["context"], example["question"]) == ("Rome is old.", "What is old?")


def test_what_is_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    given = ["hello", "Where is my card?", "either/or is fine", "file", "new.csv", "data/new", "-", "new.csv.gz", ""]
    assert list(filter(is_text, given)) == given[:3]
