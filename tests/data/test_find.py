"""Where files are looked up, and what is said of those that are not there."""

import os
from pathlib import Path

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.paths import find, folder_of


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("data/train.csv", "data/a2.csv", "data/a10.csv", "data/deep/b.csv", "recipes/train.csv", "f[1].csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*patterns, folders=(".",)):
    return [str(path) for path in find(patterns, list(map(Path, folders)))]


def message(*patterns, folders=(".",)):
    with pytest.raises(DataError) as error:
        found(*patterns, folders=folders)
    return str(error.value)


def test_paths_and_globs(folder):
    assert found("data/train.csv") == ["data/train.csv"]
    assert found(str(folder / "data/train.csv")) == [str(folder / "data/train.csv")]
    assert found("data/a*.csv") == ["data/a10.csv", "data/a2.csv"]
    assert found("data/**/b.csv", str(folder / "data/a1*")) == ["data/deep/b.csv", str(folder / "data/a10.csv")]
    assert found("f[1].csv") == ["f[1].csv"]


def test_a_file_named_twice_counts_once():
    assert found("data/a2.csv", "data/a*.csv") == ["data/a2.csv", "data/a10.csv"]


def test_first_folder_that_has_the_file_wins():
    assert found("train.csv", folders=("data", "recipes")) == ["data/train.csv"]
    assert found("train.csv", folders=("nowhere", "recipes")) == ["recipes/train.csv"]
    assert found("a*.csv", folders=("recipes", "data")) == ["data/a10.csv", "data/a2.csv"]


def test_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert found("~/data/a2.csv") == [str(folder / "data/a2.csv")]


@pytest.mark.parametrize(
    "pattern, problem",
    [
        ("data/trian.csv", 'data/trian.csv: there is no such file; did you mean "data/train.csv"?'),
        ("data/zzzzzz", "data/zzzzzz: there is no such file; give the path of a file"),
        ("dtaa/train.csv", "dtaa/train.csv: there is no such file; there is no folder dtaa"),
        ("data/*.json", "data/*.json: no file matches; give another glob, or the path of a file"),
        ("data", "data: is a folder, not a file; name its files with a glob such as data/*.csv"),
        (
            "stanfordnlp/sst2",
            "stanfordnlp/sst2: there is no such file; for a dataset of the Hub, write data.path: stanfordnlp/sst2 "
            "and the name of its split as data.train",
        ),
    ],
)
def test_not_found(pattern, problem):
    assert message(pattern) == problem


def test_guess_from_the_second_folder():
    assert message("tran.csv", folders=("nowhere", "recipes")).endswith('did you mean "recipes/train.csv"?')


def test_all_missing_files_are_named():
    assert len(message("a.csv", "data/train.csv", "b.csv").splitlines()) == 2


def test_permission(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert message("data/a2.csv") == "data/a2.csv: permission to read the file is denied; change it with chmod"


def test_data_dir(folder, monkeypatch):
    assert folder_of("data", [Path("nowhere"), folder]) == folder / "data"
    with pytest.raises(DataError) as error:
        folder_of("dataa", [Path()])
    assert str(error.value) == 'data.data_dir: there is no folder dataa; did you mean "data"?'


def test_data_dir_in_a_package(folder, monkeypatch):
    (folder / "corpora_of_mine" / "small").mkdir(parents=True)
    (folder / "corpora_of_mine" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(str(folder))
    assert folder_of("package:corpora_of_mine/small", []) == folder / "corpora_of_mine" / "small"
    with pytest.raises(DataError) as error:
        folder_of("package:no_such_package/small", [])
    assert str(error.value) == (
        "data.data_dir: no package 'no_such_package' is installed; check the name, or install the package that you mean"
    )
