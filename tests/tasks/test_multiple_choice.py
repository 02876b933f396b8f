"""Multiple choice: rows, labels, batches of different numbers of choices, what is cut."""

import math
from typing import Any

import pytest
import torch
from conftest import Tiny
from datasets import Dataset
from found import errors
from transformers import AutoTokenizer

from hf_tasks import data
from hf_tasks.data.columns import renaming
from hf_tasks.runs import evaluation
from hf_tasks.tasks import MultipleChoice
from hf_tasks.tasks.multiple_choice import ChoicesCollator

TASK = MultipleChoice(name="multiple-choice", metrics=("accuracy",))
TWO, FOUR = ["a king", "a queen"], ["paris", "london", "rome", "the river"]


@pytest.mark.parametrize(
    ("choices", "label", "expected"),
    [
        (["x", "y"], 1, 1),
        (["x", "y"], "1", 1),
        (["x", "y"], "y", 1),
        (["x", "y"], "B", 1),
        (["2", "1", "0"], "0", 2),
        ('["x", "y"]', 1.0, 1),
        ("x\n y \n", 0, 0),
        ({"text": ["x", "y"], "label": ["1", "2"]}, "2", 1),
    ],
)
def test_labels_are_places_choices_or_names(choices: Any, label: Any, expected: int) -> None:
    assert TASK.parse({"context": "a", "choices": choices, "label": label})["label"] == expected


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"choices": None}, "the choices are missing; write a list of two or more, or remove the row"),
        ({"choices": ["x"]}, "there is one choice, 'x'; write a list of two or more, or remove the row"),
        ({"choices": ["x", 3]}, "choice 2 is not a string but 3; quote it"),
        (
            {"choices": ["x", "y"], "label": 2},
            "the label 2 is not one of the 2 choices; give its place, counted from 0",
        ),
        ({"choices": ["x", "y"], "label": "z"}, "the label 'z' is not one of the 2 choices"),
        ({"choices": "[x"}, 'the choices \'[x\' are not a JSON list; write for example ["a", "b"]'),
    ],
)
def test_rows_that_cannot_be_used(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as error:
        TASK.parse({"context": "a"} | row)
    assert problem.replace("the choice 2", "choice 2") in str(error.value)


def test_errors_of_examples() -> None:
    row = {"context": " ", "choices": ["x", "x"], "label": 0}
    assert errors(TASK, row) == [
        "the context is empty; write it or remove the row",
        "a choice is there twice, and only one can be right; remove one of them",
    ]


def test_swag_and_columns_of_choices() -> None:
    swag = renaming(["sent1", "sent2", "e0", "e1", "e2", "label"], {"choices": ("e0", "e1", "e2")}, TASK, True)
    row = swag({"sent1": "She runs.", "sent2": "She", "e0": "stops.", "e1": "", "e2": "falls.", "label": 1})
    assert TASK.parse(row) == {"context": "She runs.", "question": "She", "choices": ["stops.", "falls."], "label": 1}
    asked = renaming(["question", "choices", "label"], {}, TASK, True)
    assert TASK.parse(asked({"question": "who?", "choices": TWO, "label": 0})) == {
        "context": "who?", "choices": TWO, "label": 0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


def encoded(rows: list[dict[str, Any]], tokenizer: Any, **keys: Any) -> list[dict[str, Any]]:
    task = TASK.model_copy(update=keys)
    split = data.read_rows(rows, task, labelled=True)
    return list(evaluation.encode(split.examples, task.fit(split.examples), tokenizer).features)


def test_rows_of_two_and_four_choices_in_one_batch(tokenizer: Any) -> None:
    rows = [{"context": "mary", "choices": TWO, "label": 1}, {"context": "john works", "choices": FOUR, "label": 3}]
    features = encoded(rows, tokenizer)
    texts = [
        tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(ids)) for ids in features[0]["input_ids"]
    ]
    assert texts == ["[CLS] mary [SEP] a king [SEP]", "[CLS] mary [SEP] a queen [SEP]"]
    for order in (features, features[::-1]):  # the widest row first and last
        batch = ChoicesCollator(tokenizer)(order)
        assert batch["input_ids"].shape == (2, 4, 7)
        two = 0 if order is features else 1
        assert batch["loss_choices"][two].tolist() == [True, True, False, False]
        assert batch["loss_choices"][1 - two].tolist() == [True] * 4
        assert batch["attention_mask"][two, 2:].sum(-1).tolist() == [1, 1]
        logits = {"logits": torch.zeros(2, 4)}
        assert float(TASK.loss(logits, batch)) == pytest.approx((math.log(2) + math.log(4)) / 2)
        kept = TASK.postprocessor().reduce(logits, {"input_ids": [feature["input_ids"] for feature in order]})
        assert sorted(map(len, kept)) == [2, 4]


def test_a_choice_that_is_padding_changes_nothing(tiny: Tiny, tokenizer: Any) -> None:
    from transformers import AutoModelForMultipleChoice

    from hf_tasks.tasks.collate import model_inputs

    torch.manual_seed(0)
    model = AutoModelForMultipleChoice.from_pretrained(tiny("bert")).eval()
    rows = [{"context": "mary", "choices": TWO, "label": 1}, {"context": "john works", "choices": FOUR, "label": 3}]
    features = encoded(rows, tokenizer)
    with torch.inference_mode():
        alone = model(**model_inputs(ChoicesCollator(tokenizer)(features[:1]))).logits
        recipe_dir = model(**model_inputs(ChoicesCollator(tokenizer)(features))).logits
    torch.testing.assert_close(recipe_dir[0, :2], alone[0], atol=1e-5, rtol=0)
    assert bool(torch.isfinite(recipe_dir).all())


def test_the_context_is_cut_and_the_choice_is_whole(tokenizer: Any) -> None:
    long = "a b c d e f g h i j"
    [row] = encoded([{"context": long, "choices": ["x y", "z"], "label": 0}], tokenizer, max_length=10)
    assert [len(ids) for ids in row["input_ids"]] == [10, 10]
    assert tokenizer.convert_ids_to_tokens(row["input_ids"][0]) == [
        "[CLS]",
        "a",
        "b",
        "c",
        "d",
        "e",
        "[SEP]",
        "x",
        "y",
        "[SEP]",
    ]
    assert (row["length"], row["tokens_cut"]) == (10, 5)
    [row] = encoded([{"context": "a b", "choices": [long, "z"], "label": 0}], tokenizer, max_length=8)
    assert tokenizer.convert_ids_to_tokens(row["input_ids"][0]) == ["[CLS]", "a", "b", "[SEP]", "a", "b", "c", "[SEP]"]


def test_probabilities_of_different_numbers_of_choices_are_scored() -> None:
    examples = Dataset.from_dict({"context": ["a", "b"], "choices": [TWO, FOUR], "label": [0, 3]})
    predictions = [{"label": 0, "score": 0.75, "probabilities": [0.75, 0.25]},
                   {"label": 0, "score": 0.5, "probabilities": [0.5, 0.0, 0.25, 0.25]}]  # fmt: skip
    task = TASK.model_copy(update={"metrics": ("accuracy", "nll", "brier")})
    values = evaluation.scores(task, evaluation.Predicted(predictions, None), examples, {})
    assert values["accuracy"] == 0.5
    assert values["nll"] == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
