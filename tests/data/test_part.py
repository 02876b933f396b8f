"""Columns of a part."""

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.dataset import from_examples, join


def test_rows_across_batches():
    examples = [{"text": str(i), "n": i, "tags": ["a"] * (i % 3)} for i in range(2500)]
    assert list(from_examples(examples, list(range(1, 2501)), "f:").rows()) == examples


def test_empty_lists_of_one_file_join_names_of_another():
    splits = [from_examples([{"labels": labels}], [1], place) for labels, place in (([], "a:"), (["x"], "b:"))]
    assert list(join(splits).rows()) == [{"labels": []}, {"labels": ["x"]}]


def test_different_kinds_of_values():
    with pytest.raises(DataError) as error:
        from_examples([{"id": None}, {"id": 1}, {"id": "x"}], [2, 3, 4], "f.csv:")
    assert str(error.value) == "f.csv:4: the id 'x' has another type than 1 (f.csv:3); correct it"


def test_joined_files_of_different_kinds():
    splits = [from_examples([{"id": 1}], [1], "a:"), from_examples([{"id": "x"}], [1], "b:")]
    with pytest.raises(DataError) as error:
        join(splits)
    assert str(error.value).startswith("a and b: their values are of different kinds (")
    assert str(error.value).endswith("int64 vs string); give both the same")


def test_joined_whole_numbers_become_floats_beside_floats():
    splits = [from_examples([{"score": 1}], [1], "a:"), from_examples([{"score": 0.5}], [1], "b:")]
    assert list(join(splits).rows()) == [{"score": 1.0}, {"score": 0.5}]
