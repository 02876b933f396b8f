"""From files and rows to parts: exact examples, places and messages."""

import gzip
import hashlib
import io
import re
from pathlib import Path

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data import Data, check, check_splits, hold_out, load, read_file, read_rows, read_split
from hf_tasks.data.section import FileOptions
from hf_tasks.tasks import TextClassification

TASK = TextClassification(name="text-classification")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, text):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(text.encode())


def message(function, *args, **kwargs):
    with pytest.raises(DataError) as error:
        function(*args, **kwargs)
    return str(error.value)


def contents(split):
    return {split.where(i): row for i, row in enumerate(split.rows())}


# -- one file


def test_read_file():
    write("f.csv", 'id,label,text\n7,1,"a\nb"\n8,0,c\n')
    split = read_file("f.csv", TASK)
    assert contents(split) == {"f.csv:2": {"text": "a\nb", "label": "1"}, "f.csv:4": {"text": "c", "label": "0"}}
    assert split.files == {"f.csv": hashlib.sha256(Path("f.csv").read_bytes()).hexdigest()}
    assert split.dropped == 0


def test_unlabelled():
    write("f.csv", "label,text\n1,a\n")
    assert contents(read_file("f.csv", TASK, labelled=False)) == {"f.csv:2": {"text": "a"}}


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n{"text": 1}\n')))
    split = read_file("-", TASK, format="jsonl", labelled=False, bad_rows="drop")
    assert (contents(split), split.dropped, split.files) == ({"standard input:1": {"text": "a"}}, 1, {})
    assert message(read_file, "-", TASK).startswith("standard input: the format is not known; name the format")


def test_keys_missing_in_some_objects():
    write("f.jsonl", '{"text": "a"}\n{"label": 1}\n{"text": "b", "label": 1}\n')
    assert message(read_file, "f.jsonl", TASK) == (
        "f.jsonl:1: the label is empty; give the row a label or remove it\n"
        "f.jsonl:2: the text is missing; write it or remove the row\n"
        "correct these rows or remove them"
    )


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_rows_in_several_chunks(chunk, monkeypatch):
    monkeypatch.setattr(load, "CHUNK", chunk)
    rows = [
        '{"text": "a", "n": 1}',
        '{"text": ""}',
        '{"text": "b"}',
        '{"text": "c", "label": 1}',
        '{"text": "d", "label": 2}',
    ]
    write("f.jsonl", "\n".join(rows))
    split = read_file("f.jsonl", TASK, bad_rows="drop")
    assert (split.examples.to_list(), split.dropped) == ([{"text": "c", "label": "1"}, {"text": "d", "label": "2"}], 3)
    assert [split.where(row) for row in range(2)] == ["f.jsonl:4", "f.jsonl:5"]
    assert split.places == ("f.jsonl:",)
    assert message(read_file, "f.jsonl", TASK) == (
        "f.jsonl:1: the label is empty; give the row a label or remove it\n"
        "f.jsonl:2: the label is empty; give the row a label or remove it\n"
        "f.jsonl:3: the label is empty; give the row a label or remove it\n"
        "correct these rows or remove them"
    )


def test_task_and_reader_complain_together_and_the_tenth_is_the_last_shown():
    write("f.csv", "text,label\na,b,1\n" + "x,\n" * 11 + "a,1\n")
    shown = [f"f.csv:{line}: the label is empty; give the row a label or remove it" for line in range(3, 12)]
    assert message(read_file, "f.csv", TASK).splitlines() == [
        "f.csv:2: the row has 3 fields, the header has 2; quote a text that contains commas",
        *shown,
        "... and 2 more rows; correct these rows or remove them",
    ]
    split = read_file("f.csv", TASK, bad_rows="drop")
    assert (contents(split), split.dropped) == ({"f.csv:14": {"text": "a", "label": "1"}}, 12)


def test_a_file_of_bad_rows_cannot_be_dropped_whole():
    write("f.csv", "text,label\na,\n")
    problem = "f.csv:2: the label is empty; give the row a label or remove it\nthere are no other rows"
    assert message(read_file, "f.csv", TASK, bad_rows="drop") == problem


def test_broken_files_are_never_dropped():
    write("f.csv", 'text,label\na,1\n"b,1\n')
    problem = 'f.csv:3: a quote (") opens here and never closes; close or remove it'
    assert message(read_file, "f.csv", TASK, bad_rows="drop") == problem


@pytest.mark.parametrize("name, text", [("f.csv", "text,label\n"), ("f.json", "[]"), ("f.jsonl", "\n")])
def test_no_rows(name, text):
    write(name, text)
    assert message(read_file, name, TASK) == f"{name}: there are no rows; give at least one"


def test_missing_column():
    write("f.csv", "texts,label\na,1\n")
    assert message(read_file, "f.csv", TASK) == (
        'f.csv:1: column "text" is missing; the file has texts, label; rename with data.columns: {text: texts}'
    )
    assert contents(read_file("f.csv", TASK, columns={"text": "texts"})) == {"f.csv:2": {"text": "a", "label": "1"}}


def test_unknown_canonical_column():
    write("f.csv", "text,label\na,1\n")
    assert message(read_file, "f.csv", TASK, columns={"txt": "text"}).startswith(
        'data.columns: text-classification has no column "txt"; did you mean "text"?'
    )


# -- a part of a recipe


def test_part_of_several_files():
    write("b.jsonl", '{"text": "c", "label": 2}\n')
    write("a.csv", "text,label\na,1\nb,1\n")
    split = read_split(Data(train=("b.jsonl", "*.csv")), "train", TASK, seed=0)
    assert contents(split) == {
        "b.jsonl:1": {"text": "c", "label": "2"},
        "a.csv:2": {"text": "a", "label": "1"},
        "a.csv:3": {"text": "b", "label": "1"},
    }
    assert list(split.files) == ["b.jsonl", "a.csv"]
    assert contents(split.select([2, 0])) == {
        "a.csv:3": {"text": "b", "label": "1"}, "b.jsonl:1": {"text": "c", "label": "2"},
    }  # fmt: skip


def test_problems_of_all_files_together():
    write("a.csv", "text\na\n")
    write("b.csv", "text,label\na,\n")
    write("c.csv", "")
    assert message(read_split, Data(train="*.csv"), "train", TASK, seed=0) == (
        'a.csv:1: column "label" or "labels" or "score" is missing; there is only text; add the column\n'
        "c.csv: the file is empty; give a file with rows\n"
        "b.csv:2: the label is empty; give the row a label or remove it"
    )


def test_rows_dropped_in_one_of_two_files():
    write("a.csv", "text,label\na,\n")
    write("b.csv", "text,label\nb,1\n")
    split = read_split(Data(train="*.csv", bad_rows="drop"), "train", TASK, seed=0)
    assert (contents(split), split.dropped, list(split.files)) == (
        {"b.csv:2": {"text": "b", "label": "1"}}, 1, ["a.csv", "b.csv"],
    )  # fmt: skip


def test_files_of_different_columns():
    write("a.csv", "text,label\na,1\n")
    write("b.csv", "text,text_pair,label\na,b,1\n")
    assert message(read_split, Data(train="*.csv"), "train", TASK, seed=0) == (
        'a.csv and b.csv: only one of them has the column "text_pair"; give both the same columns'
    )


def test_parts_that_are_not_named():
    assert read_split(Data(train="a.csv"), "test", TASK, seed=0) is None
    assert read_split(Data(path="org/name"), "validation", TASK, seed=0) is None


def test_beside_the_recipe_and_data_dir(folder):
    write("recipes/data/a.csv", "text,label\na,1\n")
    split = read_split(Data(train="data/a.csv"), "train", TASK, seed=0, recipe_dir=Path("recipes"))
    assert split.where(0) == "recipes/data/a.csv:2"
    split = read_split(Data(train="a.csv", data_dir="data"), "train", TASK, seed=0, recipe_dir=folder / "recipes")
    assert split.where(0) == f"{folder}/recipes/data/a.csv:2"
    assert message(read_split, Data(train="b.cvs", data_dir="recipes"), "train", TASK, seed=0) == (
        "b.cvs: there is no such file; give the path of a file"
    )


def test_max_examples_is_a_seeded_sample_in_order():
    write("f.csv", "text,label\n" + "".join(f"t{i},1\n" for i in range(100)))
    drawn = [read_split(Data(train="f.csv", max_examples=10), "train", TASK, seed=seed) for seed in (1, 1, 2)]
    lines = [split.line.tolist() for split in drawn]
    assert lines[0] == lines[1] != lines[2]
    assert lines[0] == sorted(set(lines[0])) and len(lines[0]) == 10
    assert len(read_split(Data(train="f.csv", max_examples=1000), "train", TASK, seed=1)) == 100


def test_compressed():
    Path("f.csv.gz").write_bytes(gzip.compress(b"text,label\na,1\n"))
    assert contents(read_file("f.csv.gz", TASK)) == {"f.csv.gz:2": {"text": "a", "label": "1"}}


# -- plain rows


def test_read_rows():
    split = read_rows([{"text": "a", "label": 1}, {"text": "b", "label": "x", "id": 3}], TASK, labelled=True)
    assert contents(split) == {"row 1": {"text": "a", "label": "1"}, "row 2": {"text": "b", "label": "x"}}


@pytest.mark.parametrize(
    "rows, problem",
    [
        ([], "there are no rows; give at least one"),
        (
            [{"text": "a"}, "b"],
            "row 2: a dict of columns was expected, found 'b'; write for example {'text': ...}\n"
            "correct these rows or leave them out",
        ),
        ([{"txt": "a"}], 'row 1: column "text" is missing; the rows have txt; rename "txt" to "text"'),
        ([{"text": "a\ud83d"}], "row 1: the text holds half a character (a lone surrogate); correct or remove it"),
    ],
)
def test_rows_that_cannot_be_used(rows, problem):
    assert message(read_rows, rows, TASK, labelled=False) == problem


# -- check


def test_check():
    task = TextClassification(name="text-classification", labels=("neg", "pos"))
    rows = [{"text": "a", "label": "neg"}, {"text": " ", "label": "poss"}, {"text": "b", "label": "pos"}]
    split = read_rows(rows, task, labelled=True)
    assert message(check, split, task) == (
        "row 2: the text is empty; write it or remove the row; "
        'label "poss" is not among the labels of the training data; did you mean "pos"?\n'
        "correct these rows or leave them out"
    )
    left = check(split, task, "drop")
    assert ([left.where(i) for i in range(len(left))], left.dropped) == (["row 1", "row 3"], 1)
    assert check(left, task) is left


def test_a_table_whose_columns_the_recipe_names():
    write("rows.csv", "pos,a film\nneg,a book\n")
    data = Data(train="rows.csv", column_names=("label", "text"))
    split = read_split(data, "train", TASK, seed=0)
    assert [*split.rows()] == [{"text": "a film", "label": "pos"}, {"text": "a book", "label": "neg"}]
    write("rows.jsonl", '{"text": "a", "label": "b"}\n')
    text = message(read_split, Data(train="rows.jsonl", column_names=("a",)), "train", TASK, seed=0)
    assert text == "rows.jsonl: data.column_names is for csv and tsv files, this one is jsonl; remove it"


def test_nested_values():
    write("rows.jsonl", '{"x": {"t": "a"}, "votes": [{"l": "p"}, {"l": "q"}]}\n{"x": {"t": "b"}, "votes": []}\n')
    names = {"text": "x.t", "label": "votes.0.l"}
    split = read_file("rows.jsonl", TASK, columns=names, bad_rows="drop")
    assert ([*split.rows()], split.dropped) == ([{"text": "a", "label": "p"}], 1)


def test_several_columns_of_references():
    from hf_tasks.tasks import TextToText

    write("rows.csv", "d,s1,s2\nlong,a,b\nlonger,c,\n")
    task = TextToText(name="summarization")
    split = read_file("rows.csv", task, columns={"source": "d", "target": ("s1", "s2")})
    assert [row["target"] for row in split.rows()] == [["a", "b"], ["c"]]


def test_problems_of_reading_and_of_checking_come_together_in_the_order_of_the_file():
    write("f.csv", "text,label\na,neg\n ,neg\nb,c,d\nc,pos\nd,\n ,pos\n" + "e,neg\nf,pos\n" * 6)
    data = Data(train="f.csv")
    task = TextClassification(name="text-classification", labels=("neg", "pos"))
    split = read_split(data, "train", task, seed=0, report_errors=False)
    rest, held = hold_out(split, task, 0.5, 0)
    lines = message(check_splits, [rest, held], task).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["f.csv:3", "f.csv:4", "f.csv:6", "f.csv:7", "data.bad_rows"]
    kept = check_splits([rest, held], task, "drop")
    assert sum(split.dropped for split in kept) == 4
    places = {split.where(row) for split in kept for row in range(len(split))}
    assert places == {f"f.csv:{line}" for line in (2, 5, *range(8, 20))}


def test_a_repeated_header():
    write("f.csv", "text,label\na,neg\nText,LABEL\nb,pos\n")
    text = "f.csv:3: the header is repeated here; remove the line\ncorrect these rows or remove them"
    assert message(read_file, "f.csv", TASK) == text
    reading = FileOptions(column_names=("text", "label"))
    text = "f.csv:1: the header is here; remove the line, or data.column_names\nf.csv:3: the header is repeated here"
    assert message(read_file, "f.csv", TASK, reading=reading).startswith(text)


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.parquet", "f.json"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "<!DOCTYPE html>\n<html><body>404</body></html>\n",
            "is a web page (HTML), not data; download the file itself",
        ),
        ("\n <HTML lang='en'>", "is a web page (HTML), not data; download the file itself"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "is a Git LFS pointer, not the data; fetch the data with: git lfs pull",
        ),
    ],
)
def test_what_a_download_left_in_the_place_of_data(name, text, problem):
    write(name, text.lstrip() if name != "f.parquet" else text)
    assert message(read_file, name, TASK) == f"{name}: {problem}"


def test_a_column_of_ids_is_not_proposed_as_the_label():
    write("f.csv", "text,doc_id\na,1\n")
    columns = 'column "label" or "labels" or "score"'
    assert (
        message(read_file, "f.csv", TASK)
        == f"f.csv:1: {columns} is missing; there is only text, doc_id; add the column"
    )


def test_a_target_is_not_proposed_as_the_source():
    from hf_tasks.tasks import TextToText

    write("f.jsonl", '{"target": "a", "texts": "b", "n": 1}\n')
    text = message(read_file, "f.jsonl", TextToText(name="summarization"))
    assert text.endswith("rename with data.columns: {source: NAME}")


def test_swapped_columns():
    rows = [{"text": "ab"[i % 2], "label": f"a film of {i} hours"} for i in range(40)]
    with pytest.raises(ValueError, match='each of 40 rows has a label of its own, such as "a film of 0 hours"'):
        TASK.fit(read_rows(rows, TASK, labelled=True).examples)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252", "utf-16-le"])
def test_delimiter_and_encoding_of_a_recipe(tmp_path: Path, encoding: str) -> None:
    rows = "".join(f"caf\xe9 {i}; \xbd;l{i}\n" for i in range(20_000))
    (tmp_path / "f.dat").write_bytes(("text;rest;label\n" + rows).encode(encoding))
    section = Data(train="f.dat", format="csv", delimiter=";", encoding=encoding)
    split = read_split(section, "train", TASK, seed=1, recipe_dir=tmp_path)
    assert split is not None
    assert len(split) == 20_000
    assert split.examples[19_999]["text"] == "caf\xe9 19999"
    assert split.where(19_999) == "f.dat:20001"
    wrong = section.model_copy(update={"encoding": "ascii"})
    with pytest.raises(DataError, match=r"f\.dat: is not ascii text; correct data\.encoding$"):
        read_split(wrong, "train", TASK, seed=1, recipe_dir=tmp_path)


def test_delimiter_and_encoding_belong_to_some_formats(tmp_path: Path) -> None:
    for section, text in (
        (Data(train="f.tsv", delimiter=";"), "data.delimiter is for csv files, this one is tsv; name data.format: csv"),
        (
            Data(train="f.parquet", encoding="latin-1"),
            "data.encoding is for text files, this one is parquet; remove it",
        ),
    ):
        (tmp_path / str(section.train)).write_text("x")
        with pytest.raises(DataError, match=re.escape(text)):
            read_split(section, "train", TASK, seed=1, recipe_dir=tmp_path)
    with pytest.raises(ValueError, match='there is no encoding "latin-42"; write e.g. latin-1, cp1252 or utf-16'):
        Data(train="f.csv", encoding="latin-42")
    assert Data(train=("a/*.DAT", "b.csv")).is_like("new.dat")
    assert not Data(train="a.csv").is_like("new.tsv")
