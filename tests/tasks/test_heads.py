"""From probabilities to labels: thresholds and temperature, given and tuned."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from hf_tasks import recipe
from hf_tasks.core.errors import RecipeError
from hf_tasks.tasks import EncodedSplit, TextClassification
from hf_tasks.tasks.text_classification.heads import MultiLabel, SingleLabel

TWO = [{"text": "a", "label": label} for label in ("bad", "good")]
THREE = [{"text": "a", "label": label} for label in ("bad", "good", "so so")]
SEVERAL = [{"text": "a", "labels": ["awe"]}, {"text": "b", "labels": ["fear", "joy"]}]


def resolved(rows: list[dict[str, Any]], **keys: Any) -> TextClassification:
    return TextClassification(name="text-classification", **keys).fit(Dataset.from_list(rows))


def split(rows: list[dict[str, Any]]) -> EncodedSplit:
    return EncodedSplit(Dataset.from_list(rows), Dataset.from_dict({"example": range(len(rows))}))


def logits(n: int, classes: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).normal(size=(n, classes)))


def problem(task: dict[str, Any], **data: Any) -> str:
    values = {"name": "x", "data": {"train": "t.csv"} | data, "model": {"name_or_path": "m"}}
    with pytest.raises(RecipeError) as e:
        recipe.from_dict(values | {"task": {"name": "text-classification"} | task})
    return str(e.value)


def test_of_two_labels_the_threshold_is_that_of_the_second() -> None:
    row = [np.array([0.0, math.log(1 / 3)])]  # good: 0.25
    for threshold, label, score in ((0.5, "bad", 0.75), (0.2, "good", 0.25), (0.25, "bad", 0.75)):
        [found] = resolved(TWO, threshold=threshold).postprocessor().decode(row, split(TWO[:1]))
        assert (found["label"], found["score"]) == (label, pytest.approx(score))


def test_each_of_several_labels_has_its_threshold() -> None:
    task = resolved(SEVERAL, threshold={"fear": 0.8, "joy": 0.1})
    assert [task.threshold_of(label) for label in ("awe", "fear", "joy")] == [0.5, 0.8, 0.1]
    [found] = task.postprocessor().decode([np.array([1.0, 1.0, -1.0])], split(SEVERAL[:1]))
    assert found["labels"] == ["awe", "joy"]


@pytest.mark.parametrize("rows", [TWO, THREE, SEVERAL])
def test_a_temperature_changes_probabilities_and_no_label(rows: list[dict[str, Any]]) -> None:
    task = resolved(rows)
    target = "labels" if rows is SEVERAL else "label"
    examples, outputs = split(rows * 20), logits(20 * len(rows), len(task.labels))
    plain = task.postprocessor().decode(outputs, examples)
    for temperature in (0.3, 1.7, 8.0):
        scaled = task.model_copy(update={"temperature": temperature}).postprocessor().decode(outputs, examples)
        assert [row[target] for row in scaled] == [row[target] for row in plain]
        assert scaled[0]["probabilities"] != pytest.approx(plain[0]["probabilities"], abs=1e-3)


def test_a_temperature_divides_the_logits() -> None:
    row = [np.array([0.0, 2 * math.log(3)])]
    [found] = resolved(TWO, temperature=2.0).postprocessor().decode(row, split(TWO[:1]))
    assert found["probabilities"] == pytest.approx({"bad": 0.25, "good": 0.75})
    [found] = (
        resolved(SEVERAL, temperature=2.0)
        .postprocessor()
        .decode([np.array([0.0, 2 * math.log(3), -4.0])], split(SEVERAL[:1]))
    )
    assert found["probabilities"]["fear"] == pytest.approx(0.75)


def test_what_is_to_be_tuned_is_neutral_until_it_is() -> None:
    rows, outputs = split(TWO * 10), logits(20, 2)
    waiting = resolved(TWO, threshold="tuned", temperature="tuned")
    assert waiting.postprocessor().calibrate
    assert not resolved(TWO).postprocessor().calibrate
    assert waiting.postprocessor().decode(outputs, rows) == resolved(TWO).postprocessor().decode(outputs, rows)


def test_two_labels_are_tuned_for_the_first_metric() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.45])
    rows = [{"text": "a", "label": label} for label in ("bad", "bad", "good", "good", "good", "good")]
    outputs = [np.array([0.0, math.log(p / (1 - p))]) for p in probabilities]
    tuned = resolved(TWO, threshold="tuned").postprocessor().calibrate(outputs, split(rows))
    assert tuned.threshold == pytest.approx(0.25)
    assert [row["label"] for row in tuned.postprocessor().decode(outputs, split(rows))] == [
        row["label"] for row in rows
    ]


def test_several_labels_are_tuned_each_by_itself_after_the_temperature() -> None:
    rows = [{"text": "a", "labels": labels} for labels in ([], ["awe"], ["awe", "fear"], [])]
    outputs = [np.array(row) for row in ([-3.0, 1.0, 0.0], [-1.0, 2.0, 0.0], [-2.0, 3.0, 0.0], [-4.0, 0.0, 0.0])]
    tuned = resolved(SEVERAL, threshold="tuned", temperature="tuned").postprocessor().calibrate(outputs, split(rows))
    assert isinstance(tuned.temperature, float)
    assert isinstance(tuned.threshold, dict)
    assert tuned.threshold["joy"] == 0.5  # nobody has it
    found = tuned.postprocessor().decode(outputs, split(rows))
    assert [row["labels"] for row in found] == [
        [],
        ["awe"],
        ["awe", "fear"],
        [],
    ]
    before = tuned.model_copy(update={"temperature": 1.0}).postprocessor().decode(outputs, split(rows))
    assert [row["labels"] for row in before] != [[], ["awe"], ["awe", "fear"], []]


def test_what_was_tuned_is_kept_in_the_recipe() -> None:
    outputs = logits(6, 3)
    tuned = (
        resolved(SEVERAL, threshold="tuned", temperature="tuned").postprocessor().calibrate(outputs, split(SEVERAL * 3))
    )
    values = {"name": "x", "data": {"train": "a"}, "model": {"name_or_path": "m"}}
    whole = recipe.from_dict(values | {"task": tuned.model_dump(mode="json", exclude_unset=True)})
    assert recipe.validate(recipe.yaml_file.parse(recipe.to_yaml(whole), "r")).task == tuned


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            {"problem_type": "regression", "temperature": 2.0},
            "recipe: task.temperature: regression predicts a number and has no probabilities; remove it",
        ),
        (
            {"problem_type": "single_label_classification", "labels": ["a", "b", "c"], "threshold": 0.3},
            "recipe: task.threshold: of 3 labels the most probable one is predicted; remove it",
        ),
        (
            {"problem_type": "single_label_classification", "threshold": {"a": 0.3}},
            "recipe: task.threshold: of two labels, give one number, for the second",
        ),
        (
            {"labels": ["fear", "joy"], "threshold": {"faer": 0.3}},
            'recipe: task.threshold.faer: not one of the labels; did you mean "fear"?',
        ),
        (
            {"threshold": "tunned"},
            "recipe: task.threshold: input should be 'tuned' or input should be a valid number or must be a section, "
            'with its keys indented below it; found "tunned"',
        ),
        (
            {"temperature": 0},
            "recipe: task.temperature: input should be 'tuned' or input should be greater than 0; found 0",
        ),
    ],
)
def test_keys_that_cannot_be(task: dict[str, Any], message: str) -> None:
    assert problem(task) == message


def test_tuning_needs_a_validation_part() -> None:
    assert problem({"threshold": "tuned"}, validation_size=0) == (
        "recipe: task.threshold: needs a validation split for tuning, and there is none; give a value, or "
        "data.validation"
    )


def test_a_threshold_for_many_labels_is_found_when_the_data_are_read() -> None:
    with pytest.raises(
        ValueError, match=r"^task.threshold: of 3 labels the most probable one is predicted; remove it$"
    ):
        resolved(THREE, threshold="tuned")


def test_focal_loss_of_one_label_by_hand() -> None:
    """Right label with p = 3/4 and with p = 1/4: (1 - p)^2 * -log p, the second example with weight 3."""
    given = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]]), torch.tensor([1, 1])
    plain, focal = (SingleLabel(("a", "b"), None, 1.0, (0.5, 0.5), gamma) for gamma in (0.0, 2.0))
    assert plain.loss(*given).item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    expected = (1 / 4) ** 2 * -math.log(3 / 4), (3 / 4) ** 2 * -math.log(1 / 4)
    assert focal.loss(*given).item() == pytest.approx(sum(expected))
    weighted = SingleLabel(("a", "b"), {"a": 3.0, "b": 0.5}, 1.0, (0.5, 0.5), 2.0)
    assert weighted.loss(given[0], torch.tensor([1, 0])).item() == pytest.approx(
        0.5 * expected[0] + 3 * (1 / 4) ** 2 * -math.log(3 / 4)
    )


def test_focal_loss_of_several_labels_by_hand() -> None:
    logits, flags = torch.tensor([[math.log(3), math.log(3)]]), torch.tensor([[1.0, 0.0]])
    expected = (1 / 4) ** 0.5 * -math.log(3 / 4) + (3 / 4) ** 0.5 * -math.log(1 / 4)
    head = MultiLabel(("a", "b"), 1.0, (0.5, 0.5), 0.5)
    assert head.loss(logits, flags).item() == pytest.approx(expected)


def test_focal_loss_has_a_gradient_where_the_label_is_certain() -> None:
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    SingleLabel(("a", "b"), None, 1.0, (0.5, 0.5), 0.5).loss(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


def test_regression_has_no_focal_loss() -> None:
    assert problem({"problem_type": "regression", "focal_gamma": 2}) == (
        "recipe: task.focal_gamma: regression predicts a number and has no probabilities; remove it"
    )
