"""Parallel text files: lines that belong to each other, and where each row stands."""

from pathlib import Path
from typing import Any

import pytest

from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.data import read_split
from hf_tasks.data.section import Data, Parallel
from hf_tasks.recipe import from_dict, load, to_yaml
from hf_tasks.tasks import TextToText

TASK = TextToText(name="translation", metrics=("bleu",))


@pytest.fixture(autouse=True)
def in_a_folder_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"a.en": "one\ntwo\n", "a.de": "eins\nzwei\n", "b.en": "three\n", "b.de": "drei\n", "a.x": "1\n2\n3\n"}
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")


def rows(named: Parallel, *, labelled: bool = True, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    split = read_split(Data(train=named, **options), "train", TASK, seed=0, labelled=labelled)
    assert split is not None
    return list(split.rows()), [split.where(row) for row in range(len(split))]


def test_lines_of_two_files_belong_to_each_other() -> None:
    examples, places = rows(Parallel(source="a.en", target="a.de"))
    assert examples == [{"source": "one", "target": ["eins"]}, {"source": "two", "target": ["zwei"]}]
    assert places == ["a.en:1", "a.en:2"]


def test_several_references_are_a_list() -> None:
    examples, _ = rows(Parallel(source="a.en", target=("a.de", "a.en")))
    assert examples[1] == {"source": "two", "target": ["zwei", "two"]}


def test_globs_pair_files_in_the_order_of_their_names() -> None:
    examples, places = rows(Parallel(source="*.en", target="*.de"))
    assert examples[2] == {"source": "three", "target": ["drei"]}
    assert places == ["a.en:1", "a.en:2", "b.en:1"]


def test_files_are_noted_with_their_hashes() -> None:
    split = read_split(Data(train=Parallel(source="a.en", target="a.de")), "train", TASK, seed=0)
    assert split is not None
    assert sorted(split.files) == ["a.de", "a.en"]


def test_unlabelled_needs_no_target() -> None:
    assert rows(Parallel(source="a.en"), labelled=False)[0] == [{"source": "one"}, {"source": "two"}]


def test_a_sample_keeps_pairs() -> None:
    examples, _ = rows(Parallel(source="*.en", target="*.de"), max_examples=2)
    pairs = {"one": ["eins"], "two": ["zwei"], "three": ["drei"]}
    assert [pairs[row["source"]] for row in examples] == [row["target"] for row in examples]
    assert len(examples) == 2


def test_files_of_different_lengths_are_an_error_with_both_counts() -> None:
    with pytest.raises(DataError) as e:
        rows(Parallel(source="a.en", target=("a.de", "b.de", "a.x")))
    assert e.value.problems == (
        "b.de has 1 line, a.en has 2; line i of one must belong to line i of the other",
        "a.x has 3 lines, a.en has 2; line i of one must belong to line i of the other",
    )


def test_patterns_must_name_as_many_files() -> None:
    with pytest.raises(DataError) as e:
        rows(Parallel(source="*.en", target="a.*e"))
    assert str(e.value) == "*.en matches 2 files and a.*e matches 1; each source file needs its target file"


def test_a_recipe_names_what_is_missing(tmp_path: Path) -> None:
    Path("r.yaml").write_text(
        "name: x\ntask:\n  name: translation\ndata:\n  train: {source: a.en, target: a.dee}\n"
        "model:\n  name_or_path: t5-small\n"
    )
    with pytest.raises(RecipeError) as e:
        load("r.yaml")
    assert str(e.value) == 'r.yaml:5: data.train: a.dee: there is no such file; did you mean "a.de"?'


def test_parallel_files_come_back_from_yaml() -> None:
    values = {"name": "x", "task": {"name": "translation"}, "model": {"name_or_path": "t5-small"}}
    data = {"train": {"source": "a.en", "target": ["a.de", "b.de"]}}
    recipe = from_dict(values | {"data": data})
    assert recipe.data.train == Parallel(source="a.en", target=("a.de", "b.de"))
    assert "source: a.en\n    target:\n    - a.de" in to_yaml(recipe)


def test_a_task_without_source_and_target_cannot_read_them() -> None:
    values = {"name": "x", "task": {"name": "text-classification"}, "model": {"name_or_path": "bert"}}
    with pytest.raises(RecipeError) as e:
        from_dict(values | {"data": {"train": {"source": "a.en"}}})
    assert str(e.value) == "recipe: data.train: text-classification has no source and target; name a file or glob"


def test_a_hub_data_set_has_splits() -> None:
    values = {"name": "x", "task": {"name": "translation"}, "model": {"name_or_path": "bert"}}
    with pytest.raises(RecipeError) as e:
        from_dict(values | {"data": {"path": "wmt16", "train": {"source": "a.en"}}})
    assert str(e.value) == "recipe: data: path (a Hub dataset) has splits, not files; name a split, e.g. train: train"


def test_an_empty_target_and_all_pairs_that_differ_are_named() -> None:
    Path("a.de").write_text("eins\n \n", encoding="utf-8")
    with pytest.raises(DataError) as e:
        rows(Parallel(source="a.en", target="a.de"))
    assert e.value.problems[0] == "a.en:2: its target, a.de:2, is empty; write it, or remove the line from all files"
    Path("a.de").write_text("eins\n", encoding="utf-8")
    Path("b.de").write_text("drei\nvier\n", encoding="utf-8")
    with pytest.raises(DataError) as e:
        rows(Parallel(source="*.en", target="*.de"))
    assert [text.partition("; ")[0] for text in e.value.problems] == [
        "a.de has 1 line, a.en has 2", "b.de has 2 lines, b.en has 1",
    ]  # fmt: skip
