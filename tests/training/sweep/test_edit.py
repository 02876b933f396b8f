"""A recipe's values are changed in their places, and nothing else is."""

from typing import Any

import pytest

from hf_tasks.recipe import yaml_file
from hf_tasks.recipe.yaml_edit import edited

TEXT = """\
# Films.
name: films
task: {name: text-classification, max_length: 64}   # short
data:
  train: [a.csv, b.csv]
  # the columns:
  columns:
    label: category

method:
  name: lora
  target_modules:
  - query
  - value
training:
  learning_rate: 5e-4       # tried by hand
  # how long
  num_train_epochs: 3
card:
  citation: |
    @article{x}

    }
"""


def changed(**sections: Any) -> dict[str, Any]:
    return yaml_file.parse(TEXT, "recipe").values | sections


def test_nothing_changes_where_nothing_differs() -> None:
    assert edited(TEXT, changed()) == TEXT


def test_a_value_changes_with_its_comment_and_every_other_line_stays() -> None:
    text = edited(TEXT, changed(training={"learning_rate": 2e-5, "num_train_epochs": 3}))
    assert text == TEXT.replace("5e-4       # tried by hand", "2e-5")


def test_keys_come_and_go() -> None:
    text = edited(TEXT, changed(method={"name": "full"}, hub={"repo_id": "a/b"}))
    gone = "  target_modules:\n  - query\n  - value\n"
    assert text == TEXT.replace(gone, "").replace("lora", "full") + "hub: {repo_id: a/b}\n"
    text = edited(TEXT, changed(training={"learning_rate": 5e-4, "num_train_epochs": 3, "seed": 1}))
    assert text == TEXT.replace("num_train_epochs: 3\n", "num_train_epochs: 3\n  seed: 1\n")


@pytest.mark.parametrize(
    "sections",
    [
        {"task": {"name": "text-classification", "max_length": 32, "metrics": ["accuracy"]}},
        {"data": {"train": "c.csv", "columns": {"label": "kind", "text": "a: b"}, "validation_size": 0.2}},
        {"card": {"citation": "none"}, "name": "true"},
        {"method": {"name": "lora", "target_modules": ["key"]}},
        {"training": {}},
    ],
)
def test_what_comes_out_has_the_values_that_were_asked_for(sections: dict[str, Any]) -> None:
    assert yaml_file.parse(edited(TEXT, changed(**sections)), "x").values == changed(**sections)
