"""How much each label counts in the loss."""

from collections import Counter

import pytest

from hf_tasks.tasks.text_classification.labels import scaled


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
