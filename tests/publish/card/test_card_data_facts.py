"""What the card says of the data: samples and baselines."""

from typing import Any

import pytest
from datasets import Dataset

from hf_tasks.publish.card.data_facts import baseline, samples
from hf_tasks.recipe import from_dict


def task(name: str, **keys: Any) -> Any:
    sections = {"name": "x", "task": {"name": name} | keys, "data": {"train": "t"}, "model": {"name_or_path": "org/b"}}
    return from_dict(sections).task


TRAIN = {"text": ["a a a", "b", "c c", "d d d d"], "label": ["yes", "yes", "no", "yes"]}


def test_a_model_that_always_gives_the_most_frequent_label() -> None:
    train = Dataset.from_dict(TRAIN)
    one = task("text-classification", metrics=["accuracy", "f1", "per_class", "ece"]).fit(train)
    test = Dataset.from_dict({"text": ["x"] * 4, "label": ["yes", "no", "no", "no"]})
    found = baseline(one, {"train": train, "test": test}, {})
    assert found is not None and found["what"] == "the most frequent label of train for every example"
    assert found["parts"]["test"] == pytest.approx(
        {"accuracy": 0.25, "f1_macro": 0.2, "f1_micro": 0.25, "f1_weighted": 0.1}
    )


def test_the_most_frequent_tag_and_the_mean() -> None:
    train = Dataset.from_dict({"tokens": [["a", "b", "c"], ["d"]], "tags": [["O", "O", "B-X"], ["O"]]})
    one = task("token-classification", metrics=["tagging_accuracy", "entity_f1"]).fit(train)
    found = baseline(one, {"train": train, "test": train}, {})
    assert found is not None and found["parts"]["test"]["tagging_accuracy"] == 0.75
    assert found["parts"]["test"]["entity_f1"] == 0.0
    train = Dataset.from_dict({"text": ["a", "b"], "score": [1.0, 3.0]})
    found = baseline(task("text-classification", metrics=["mse"]).fit(train), {"train": train, "test": train}, {})
    assert found is not None and found["parts"] == {"test": {"mse": 1.0}}


def test_a_task_without_such_an_answer() -> None:
    train = Dataset.from_dict({"source": ["a"], "target": [["b"]]})
    assert baseline(task("translation").fit(train), {"train": train, "test": train}, {}) is None


def test_samples_are_short_and_of_different_targets() -> None:
    train = Dataset.from_dict(TRAIN)
    one = task("text-classification").fit(train)
    assert samples(one, train, 3) == [
        {"text": "b", "label": "yes"}, {"text": "c c", "label": "no"}, {"text": "a a a", "label": "yes"},
    ]  # fmt: skip
    assert samples(one, train, 0) == []
