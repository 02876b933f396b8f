"""Which file is which split; formats by contents; languages."""

import gzip
from pathlib import Path

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.recognise import format_of
from hf_tasks.recipe.init.columns import language_of, words
from hf_tasks.recipe.init.defaults import language_of as guess
from hf_tasks.recipe.init.files import find_files

FOLDERS = {
    "train.csv dev.csv test.csv README.md": {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"},
    "a_train.tsv a_valid.tsv": {"train": "a_train.tsv", "validation": "a_valid.tsv"},
    "train-00000-of-00002.parquet train-00001-of-00002.parquet validation-00000-of-00001.parquet": {
        "train": "train-00000-of-00002.parquet train-00001-of-00002.parquet",
        "validation": "validation-00000-of-00001.parquet",
    },
    "train.jsonl dev.jsonl train.csv dev.csv test.csv": {
        "train": "train.csv", "validation": "dev.csv", "test": "test.csv",
    },
    "train.en train.de test2016.en test2016.de test2017.en test2017.de": {
        "train": "train.en > train.de", "test": "test2016.en > test2016.de",
    },
    "dev.src dev.ref0 dev.ref1 test.src test.ref0 test.ref1": {
        "train": "dev.src > dev.ref0 dev.ref1", "test": "test.src > test.ref0 test.ref1",
    },
    "source.de ref.A.en ref.B.en": {"train": "source.de > ref.A.en ref.B.en"},
    "reviews.csv.gz": {"train": "reviews.csv.gz"},
    "attraining.csv": {"train": "attraining.csv"},
}  # fmt: skip


@pytest.mark.parametrize("names", FOLDERS)
def test_parts_are_known_by_their_names(names: str, tmp_path: Path) -> None:
    for name in names.split():
        (tmp_path / name).write_bytes(gzip.compress(b"x\n") if name.endswith(".gz") else b"x\n")
    found = find_files([str(tmp_path)]).splits
    shown = {
        split: " > ".join(" ".join(path.name for path in paths) for paths in (files.paths, files.targets) if paths)
        for split, files in found.items()
    }
    assert shown == FOLDERS[names]


def test_the_users_order_says_which_side_is_the_source(tmp_path: Path) -> None:
    for name in ("train.en", "train.de"):
        (tmp_path / name).write_text("x\n", encoding="utf-8")
    files = find_files([str(tmp_path / "train.de"), str(tmp_path / "train.en")]).splits["train"]
    assert [path.name for path in (*files.paths, *files.targets)] == ["train.de", "train.en"]


def test_the_name_of_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "film reviews"
    folder.mkdir()
    for name in ("train.csv", "train_small.csv", "mine.csv"):
        (folder / name).write_text("x\n", encoding="utf-8")
    names = [find_files([str(folder / name)]).name for name in ("train.csv", "train_small.csv", "mine.csv")]
    assert [*names, find_files([str(folder)]).name] == ["film-reviews", "film-reviews-small", "mine", "film-reviews"]


def test_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x\n", encoding="utf-8")
    with pytest.raises(DataError) as e:
        find_files([str(tmp_path)])
    known = ".csv .tsv .json .jsonl .ndjson .parquet .arrow .conll .bio .iob2 .conllu .xlsx .txt"
    assert str(e.value) == f"{tmp_path}: the folder has no data files; known endings are {known}"


FORMATS = {
    "a.csv": ("text,label\nx,1\n", "csv"),
    "b.csv": ("text\tlabel\nx\t1\n", "tsv"),
    "a.json": ('[{"text": "x"}]\n', "json"),
    "b.json": ('{"text": "x"}\n{"text": "y"}\n', "jsonl"),
    "a.txt": ("Ann B-PER\nmet O\n\nBo B-PER\nleft O\n", "conll"),
    "b.txt": ("text\tlabel\nx\t1\n", "tsv"),
    "c.txt": ("Ann/NNP met/VBD Bo/NNP\n", "slashed"),
    "d.txt": ("女士 们 ， 先生 们\n", "segmented"),
    "e.txt": ("Ann met Bo and they left.\n\nThe end of it.\n", "text"),
    "f.dat": ('{"text": "x"}\n', "jsonl"),
    "g.dat": ("1\tDogs\tdog\tNOUN\tNNS\t_\t0\troot\t_\t_\n\n", "conllu"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_known_by_endings_or_contents(name: str, tmp_path: Path) -> None:
    contents, format = FORMATS[name]
    (tmp_path / name).write_text(contents, encoding="utf-8")
    assert format_of(tmp_path / name) == format


def test_languages() -> None:
    assert [language_of(ending) for ending in ("en", "de_DE", "zh-CN", "py", "csv")] == ["en", "de", "zh", None, None]
    assert words("Don't stop, 你好!") == 8
    english = "the film was slow and the plot was thin"
    assert guess([english] * 50) == "English"
    assert guess(["Der Film war zu lang und die Musik zu laut"] * 50) == "other"
    assert guess(["女士们，先生们"] * 50) == "Chinese"
    assert guess(["東京へ行きたいです。とても楽しみにしています"] * 50) == "other"
    assert guess(["Фильм был слишком длинным"] * 50) == "other"
    assert guess(["Banco Santander"]) == "English"  # too few words to tell
