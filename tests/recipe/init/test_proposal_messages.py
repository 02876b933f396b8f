"""Data that cannot be used are one line: where, what is wrong; what to do."""

from pathlib import Path

import init_kinds as kinds
import pytest
from typer.testing import CliRunner

from hf_tasks import recipe as recipes
from hf_tasks.cli import app
from hf_tasks.core.errors import DataError
from hf_tasks.recipe.init import propose

TEXTS = [kinds.text(i) for i in range(40)]

FILES = {
    "empty.csv": ([], "the file is empty; give a file with rows"),
    "header.csv": (["text,label"], "there are no rows; give at least one"),
    "one.csv": (
        ["number", *map(str, range(40))],
        'there is only one column, number ("0"); add one with labels or target texts',
    ),
    "no_label.csv": (
        ["id,text", *(f"{i},{text}" for i, text in enumerate(TEXTS))],
        'no column can be a label, only id ("0"), text ("the film was slow and the p..."); add one, or name it label',
    ),
    "no_text.csv": (
        ["x,label", *(f"{i / 2},{i % 2}" for i in range(40))],
        'no column holds texts, only x ("0.0"), label ("0"); add one, or name it text',
    ),
    "different.csv": (
        ["text,label", *(f"{text},label{i}" for i, text in enumerate(TEXTS))],
        'the column "label" has a different value in each of 40 rows; labels must repeat',
    ),
    "constant.csv": (
        ["text,label", *(f"{text},spam" for text in TEXTS)],
        'the column "label" has only one value, spam; training needs at least two labels',
    ),
    "words.csv": (
        ["sentence_id,word,tag", *(f"{i // 4},{'abcd'[i % 4]},{'XY'[i % 2]}" for i in range(40))],
        'the column "word" has one word per row; write sentences: CoNLL, or lists of tokens and tags',
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_one_line_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    rows, text = FILES[name]
    kinds.lines(tmp_path / name, rows)
    with pytest.raises(DataError) as e:
        propose([str(tmp_path / name)])
    assert str(e.value) == f"{tmp_path / name}: {text}"


def test_a_table_without_a_header(tmp_path: Path) -> None:
    data = kinds.csv(tmp_path, "rows.csv", "it was bad,neg", lambda i: f"{kinds.text(i)},{('pos', 'neg')[i % 2]}")
    proposal = propose(data)
    assert "\n  column_names: [text, label]           # the table has no header line\n" in proposal.recipe
    assert proposal.report[0] == f"{data[0]}: train, 61 rows"


def test_files_of_several_formats(tmp_path: Path) -> None:
    kinds.lines(tmp_path / "train.txt", ["text\tlabel", *(f"{text}\tx" for text in TEXTS)])
    kinds.csv(tmp_path, "dev.csv", "text,label", lambda i: f"{kinds.text(i)},{i % 2}")
    paths = [str(tmp_path / "train.txt"), str(tmp_path / "dev.csv")]
    with pytest.raises(DataError) as e:
        propose(paths)
    told = f"{paths[0]} tsv, {paths[1]} csv"
    assert str(e.value) == f"{told}: the files have different formats; give them one by one, or in one format"


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kinds.binary(Path())
    run = CliRunner().invoke
    done = run(app, ["init", "spam.jsonl"])
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "spam.jsonl: train, 60 rows",
        '  task      text-classification, one of two labels: the column "is_spam" has 2 different values',
        "  labels    2: False 54, True 6",
        "  lengths   9 words on average, 99 % have at most 10",
        "The recipe is in spam.yaml; next:",
        "  hf-tasks check spam.yaml",
        "  hf-tasks train spam.yaml",
    ]
    assert recipes.load("spam.yaml").data.columns == {"text": "message", "label": "is_spam"}
    printed = run(app, ["init", "spam.jsonl", "-o", "-"])
    assert printed.stdout == Path("spam.yaml").read_text(encoding="utf-8")
    again = run(app, ["init", "spam.jsonl"])
    assert str(again.exception) == "spam.yaml: exists already; name another file with -o, or give --overwrite"
    assert run(app, ["init", "spam.jsonl", "--overwrite"]).exit_code == 0


def test_rows_of_a_long_file_are_drawn_from_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_tasks.recipe.init.sample.SIZE", 50)
    rows = [f"{kinds.text(i)},{i // 500}" for i in range(1000)]  # sorted by label
    kinds.lines(tmp_path / "sorted.csv", ["text,label", *rows])
    proposal = propose([str(tmp_path / "sorted.csv")])
    assert proposal.report[0] == f"{tmp_path / 'sorted.csv'}: train, 1,000 rows"
    labels = next(line for line in proposal.report if line.startswith("  labels")).split(": ")[1]
    counts = [int(word) for word in labels.replace(",", "").split()[1::2]]
    assert sum(counts) == 50
    assert min(counts) >= 15


def test_a_row_that_cannot_be_read_is_told_where_the_others_have_no_label(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"text": "a", "label": "x"}\n{"text": "b", "lab\n')
    with pytest.raises(DataError) as e:
        propose([str(path)])
    broken, label = e.value.problems
    assert broken.startswith(f"{path}:2: ")
    assert label == f'{path}: the column "label" has a different value in each of 1 rows; labels must repeat'
