"""Values of label columns, and the weight of each label in the loss."""

import math
from collections import Counter
from typing import Any

import pytest

from hf_tasks.tasks.text_classification.labels import label_of, numbers_first, scaled, score_of, several


@pytest.mark.parametrize(
    ("value", "label"), [("yes", "yes"), (1, "1"), (2.0, "2"), (2.5, "2.5"), ("07", "07"), (-1, "-1"), ("a|b", "a|b")]
)
def test_labels_are_names(value: Any, label: str) -> None:
    assert label_of(value, (), indices=True) == label


@pytest.mark.parametrize(
    ("value", "label"), [(0, "no"), ("1", "yes"), (1.0, "yes"), ("yes", "yes"), (2, "2"), (-1, "-1")]
)
def test_numbers_count_into_the_labels_of_the_recipe(value: Any, label: str) -> None:
    assert label_of(value, ("no", "yes"), indices=True) == label


def test_numbers_that_are_names_themselves_are_not_counted() -> None:
    assert label_of(1, ("5", "1", "3"), indices=True) == "1"


def test_numbers_are_no_places_where_a_label_is_a_number_or_they_are_not_wanted() -> None:
    assert label_of(0, ("1", "2", "other"), indices=True) == "0"
    assert label_of(1, ("no", "yes"), indices=False) == "1"


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (["joy", "awe"], ["joy", "awe"]),
        (("joy",), ["joy"]),
        ([], []),
        ([2, 10.0], ["2", "10"]),
        ('["joy", "a|b"]', ["joy", "a|b"]),
        ("[]", []),
        ("[3]", ["3"]),
        ({"joy": 1, "fear": "0", "awe": "True", "rage": 0.0}, ["joy", "awe"]),
        ("joy| awe |", ["joy", "awe"]),
        ("", []),
        ("joy", ["joy"]),
        (3, ["3"]),
        (3.0, ["3"]),
    ],
)
def test_several_labels_in_every_form(value: Any, labels: list[str]) -> None:
    assert [label_of(label, (), indices=True) for label in several(value, "|")] == labels


def test_without_a_separator_a_text_is_one_label() -> None:
    assert several("joy|awe", None) == ["joy|awe"]


@pytest.mark.parametrize(("value", "score"), [("4.5", 4.5), (3, 3.0), (-1.25, -1.25), ("1e-3", 0.001)])
def test_scores_are_numbers(value: Any, score: float) -> None:
    assert score_of(value) == score


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the label is empty; give the row a label or remove it"),
        (" \u200b", "the label is empty; give the row a label or remove it"),
        (None, "the label is empty; give the row a label or remove it"),
        (math.nan, "the label is empty; give the row a label or remove it"),
        (["a", "b"], 'several labels in the column "label"; name it with data.columns: {labels: NAME}'),
        ({"a": 1}, 'several labels in the column "label"; name it with data.columns: {labels: NAME}'),
    ],
)
def test_what_is_no_label(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as e:
        label_of(value, (), indices=True)
    assert str(e.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the labels are missing; write an empty list for a row without labels"),
        ("['a']", 'labels "[\'a\']" are not a JSON list; write for example ["a", "b"]'),
        ({"joy": "maybe"}, "column \"joy\" must be 0 or 1 for each row, found 'maybe'"),
        ({"joy": None}, 'column "joy" must be 0 or 1 for each row, found None'),
    ],
)
def test_what_are_no_several_labels(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as e:
        several(value, None)
    assert str(e.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the score is empty; give the row a number or remove it"),
        (None, "the score is empty; give the row a number or remove it"),
        ("high", "the score 'high' is not a number"),
        ("nan", "the score is nan; give the row a finite number or remove it"),
        (math.inf, "the score is inf; give the row a finite number or remove it"),
    ],
)
def test_what_is_no_score(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as e:
        score_of(value)
    assert str(e.value) == message


def test_numbers_are_sorted_before_names() -> None:
    assert sorted(["b", "10", "a", "2"], key=numbers_first) == ["2", "10", "a", "b"]


def test_balanced_weights_have_mean_one_over_the_examples() -> None:
    weights = scaled("balanced", Counter("aaab"), ("a", "b"))
    assert weights == pytest.approx({"a": 2 / 3, "b": 2.0})
    assert 3 * 2 / 3 + 1 * 2.0 == 4


def test_given_weights_are_scaled_and_missing_ones_are_one() -> None:
    assert scaled({"b": 5.0}, Counter("aaab"), ("a", "b")) == pytest.approx({"a": 0.5, "b": 2.5})
    assert scaled({}, Counter("aaab"), ("a", "b")) == {"a": 1.0, "b": 1.0}


def test_balanced_weights_of_labels_that_never_occur_stay_finite() -> None:
    weights = scaled("balanced", Counter("aab"), ("a", "b", "c"))
    assert weights == pytest.approx({"a": 0.75, "b": 1.5, "c": 1.5})


def test_weights_of_no_label_are_refused() -> None:
    with pytest.raises(ValueError, match=r'^task.class_weights: "xyz" is not one of the labels; remove it$'):
        scaled({"xyz": 2.0}, Counter("ab"), ("a", "b"))
