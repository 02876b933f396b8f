"""Each message says what to do; doing it leads to success."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import is_utf8
from hf_tasks.recipe import resolve

Values = dict[str, Any]
TEXTS, TAGS = {"name": "text-classification"}, {"name": "token-classification"}
PLAIN = "".join(f"some text number {i},{'ab'[i % 2]}\n" for i in range(20))
SENTENCE = "Ann\tB-PER\nsaw\tO\nBo\tB-PER\n"
GERMAN = "text,label\nschön,a\nübel,b\n" + PLAIN
WORDS = {"words": "Ann saw Bo", "marks": [[0, 3, "PER"], [8, 10, "PER"]]}


def jsonl(rows: list[Values]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def outcome(files: dict[str, Any], task: Values, data: Values) -> str:
    """The last line of the message, or "" for success."""
    for name, content in files.items():
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    values = {"name": "x", "task": task, "data": data, "model": {"name_or_path": "m"}}
    Path("r.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    try:
        resolve.resolve(recipes.load("r.yaml"), Path())
    except DataError as e:
        return e.problems[0]
    return ""


@pytest.mark.parametrize(
    ("files", "task", "data", "message", "remedy"),
    [
        pytest.param(
            {"t.csv": "comment,grade\n" + "".join(f"text {i},{i % 5}.5\n" for i in range(20))},
            TEXTS | {"problem_type": "regression"}, {"columns": {"text": "comment", "label": "grade"}},
            't.csv: task.problem_type is regression, which reads the column "score", but the training data has '
            '"label"; name its column in the file with data.columns: {score: NAME}',
            {"data": {"columns": {"text": "comment", "score": "grade"}}}, id="score",
        ),
        pytest.param(
            {"t.jsonl": jsonl([{"text": f"text {i}", "topics": ["a", "b"][: 1 + i % 2]} for i in range(20)])},
            TEXTS, {"train": "t.jsonl", "columns": {"label": "topics"}},
            't.jsonl:1: several labels in the column "label"; name it with data.columns: {labels: NAME}',
            {"data": {"train": "t.jsonl", "columns": {"labels": "topics"}}}, id="labels",
        ),
        pytest.param(
            {"t.csv": "text,cat\n" + "".join(f"text {i},{'a|b' if i % 3 else 'a'}\n" for i in range(20))},
            TEXTS | {"label_separator": "|"}, {"columns": {"label": "cat"}},
            "t.csv: task.label_separator: only several labels are separated; name their column with data.columns: "
            "{labels: NAME}, or remove it",
            {"data": {"columns": {"labels": "cat"}}}, id="separator",
        ),
        pytest.param(
            {"t.tsv": "text;label\n" + PLAIN.replace(",", ";")}, TEXTS, {"train": "t.tsv"},
            "t.tsv:1: the columns seem to be separated by semicolons, not by tabs; name data.format: csv and "
            'data.delimiter: ";"',
            {"data": {"train": "t.tsv", "format": "csv", "delimiter": ";"}}, id="semicolons",
        ),
        pytest.param(
            {"t.csv": PLAIN}, TEXTS, {},
            't.csv:1: column "text" is missing; the first line seems to be a row (some text number 0, a); write a '
            "header above it, or name the columns with data.column_names",
            {"data": {"column_names": ["text", "label"]}}, id="header",
        ),
        pytest.param(
            {"t.csv": GERMAN}, TEXTS, {"encoding": "latin-1"},
            "t.csv: is UTF-8 text, not latin-1; remove data.encoding and save all files as UTF-8",
            {}, id="encoding",
        ),
        pytest.param(
            {"t.conll": SENTENCE * 100}, TAGS, {"train": "t.conll"},
            "t.conll:1: a sentence of 300 words without a blank line; write one after each sentence",
            {"files": {"t.conll": f"{SENTENCE}\n" * 100}, "data": {"train": "t.conll"}}, id="sentences",
        ),
        pytest.param(
            {"t.jsonl": jsonl([WORDS] * 20)}, TAGS,
            {"train": "t.jsonl", "columns": {"tokens": "words", "spans": "marks"}},
            "t.jsonl:1: the words are not a list but 'Ann saw Bo'; write a list, or name the column with data.columns: "
            "{text: NAME}",
            {"data": {"train": "t.jsonl", "columns": {"text": "words", "spans": "marks"}}}, id="words",
        ),
    ],
)  # fmt: skip
def test_a_remedy_leads_to_success(
    files: Values, task: Values, data: Values, message: str, remedy: Values, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert outcome(files, task, {"train": "t.csv"} | data) == message
    assert outcome(remedy.get("files", {}), task, {"train": "t.csv"} | remedy.get("data", {})) == ""


def test_tags_of_words_need_a_list_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"tokens": "Ann saw", "tags": ["B-PER", "O"]}] * 20
    problem = "t.jsonl:1: the words are not a list but 'Ann saw'; write a list"
    assert outcome({"t.jsonl": jsonl(rows)}, TAGS, {"train": "t.jsonl"}) == problem


@pytest.mark.parametrize(
    ("piece", "expected"),
    [(b"plain", False), ("caf\xe9 au lait".encode(), True), ("caf\xe9".encode("latin-1"), False),
     ("\xe9t\xe9".encode("latin-1"), False), ("caf\xe9\u20ac".encode()[:-1], True)],
)  # fmt: skip
def test_bytes_that_are_utf_8(piece: bytes, expected: bool) -> None:
    assert is_utf8(piece) is expected
