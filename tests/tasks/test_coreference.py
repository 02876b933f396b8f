"""Coreference: rows, the window that is read, marks, baselines."""

from typing import Any

import pytest
from conftest import Tiny
from datasets import Dataset
from found import errors
from transformers import AutoTokenizer

from hf_tasks import data
from hf_tasks.data.columns import renaming
from hf_tasks.publish.card.data_facts import baseline
from hf_tasks.runs import evaluation
from hf_tasks.tasks import Coreference

TASK = Coreference(name="coreference")
TEXT = "Ann met Eve before she left; Eve waved."
ROW = {"text": TEXT, "pronoun": "she", "names": ["Ann", "Eve"], "offsets": [0, 8]}
GAP = {
    "text": "Text", "pronoun": "Pronoun", "pronoun_offset": "Pronoun-offset", "names": ("A", "B"),
    "offsets": ("A-offset", "B-offset"), "label": ("A-coref", "B-coref"),
}  # fmt: skip


def test_the_columns_of_gap() -> None:
    row = {
        "ID": "1", "Text": TEXT, "Pronoun": "she", "Pronoun-offset": "19", "A": "Ann", "A-offset": "0",
        "A-coref": "FALSE", "B": "Eve", "B-offset": "8", "B-coref": "TRUE", "URL": "http://x/Eve",
    }  # fmt: skip
    assert TASK.parse(renaming(list(row), GAP, TASK, True)(row)) == {
        "text": TEXT, "pronoun": "she", "pronoun_offset": 19, "names": ["Ann", "Eve"], "offsets": [0, 8],
        "group": "feminine", "label": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "place"), [(0, 0), ("1", 1), ("Eve", 1), ("neither", 2), ([False, False], 2), (["TRUE", "FALSE"], 0)]
)
def test_labels(label: Any, place: int) -> None:
    assert TASK.parse(ROW | {"label": label, "group": "news"}) | ROW == {
        **ROW, "pronoun_offset": 19, "group": "news", "label": place
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"offsets": None}, "'Eve' is 2 times in the text; give its offset in characters"),
        ({"offsets": [1, 8]}, "'Ann' is not at character 1 of the text, but 'nn '; correct the offset"),
        ({"offsets": [0]}, "there are 2 names and 1 offsets; give two or more of each"),
        ({"offsets": ["x", 8]}, "the offset 'x' of 'Ann' is not a number of characters; count them from 0"),
        ({"label": [True, True]}, "the label has 2 right names; give one at most"),
        ({"label": "Bo"}, "the label 'Bo' is not a name; give its place, counted from 0, or \"neither\""),
        ({"label": ["yes", "no"]}, "the label ['yes', 'no'] is not true or false for each of the 2 names"),
        ({"names": 3}, "a list was expected, found 3; write one value for each name"),
    ],
)
def test_rows_that_cannot_be_used(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as error:
        TASK.parse(ROW | change)
    assert str(error.value) == problem


def test_errors_of_examples() -> None:
    assert errors(TASK, ROW | {"names": ["Ann", "Ann"], "offsets": [0, 0], "label": 0}) == [
        "a name is there twice with the same offset; remove one of them"
    ]


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


def encoded(row: dict[str, Any], tokenizer: Any, max_length: int) -> tuple[list[str], dict[str, Any]]:
    task = TASK.model_copy(update={"max_length": max_length})
    split = data.read_rows([row], task, labelled=False)
    [feature] = evaluation.encode(split.examples, task, tokenizer).features
    return [tokenizer.decode(ids) for ids in feature["input_ids"]], feature


def test_marks_and_choices(tokenizer: Any) -> None:
    row = {"text": "mary met anna and she won", "pronoun": "she", "names": ["mary", "anna"]}
    texts, feature = encoded(row, tokenizer, 32)
    assert texts == [
        "[CLS] * mary * met # anna # and [ she ] won [SEP] mary [SEP]",
        "[CLS] # mary # met * anna * and [ she ] won [SEP] anna [SEP]",
        "[CLS] # mary # met # anna # and [ she ] won [SEP] neither [SEP]",
    ]
    assert feature["tokens_cut"] == 0
    swapped, _ = encoded(row | {"names": ["anna", "mary"]}, tokenizer, 32)
    assert swapped == [texts[1], texts[0], texts[2]]


def test_the_window_has_all_spans(tokenizer: Any) -> None:
    text = "a b " * 20 + "mary saw anna and she won " + "c d " * 20
    row = {"text": text, "pronoun": "she", "names": ["mary", "anna"]}
    for text in encoded(row, tokenizer, 24)[0]:
        assert all(word in text for word in ("mary", "anna", "she"))
    texts, feature = encoded(row, tokenizer, 24)
    assert (feature["length"], feature["tokens_cut"] > 0) == (24, True)
    far = {"text": f"mary {'a ' * 40} anna and she won", "pronoun": "she", "names": ["mary", "anna"]}
    assert "she" in encoded(far, tokenizer, 24)[0][0] and "[CLS] mary" not in encoded(far, tokenizer, 24)[0][0]


def test_baselines_stand_beside_each_other() -> None:
    examples = [TASK.parse(ROW | {"label": label}) for label in (0, 1, 1, 2)]
    train = Dataset.from_list(examples)
    found = baseline(TASK.fit(train), {"train": train, "test": train}, {})
    assert found is not None and found["what"] == "the name that is closest to the pronoun"
    assert found["parts"]["test"] == pytest.approx({"coreference_f1": 4 / 7, "accuracy": 0.5})
    [other] = found["others"]
    assert other["what"] == "the first name" and other["parts"]["test"]["coreference_f1"] == pytest.approx(2 / 7)
