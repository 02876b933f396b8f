from typing import Any

import yaml

from hf_tasks.card import cell, render
from hf_tasks.recipe import from_dict

RECIPE = from_dict(
    {
        "name": "intents",
        "task": {"name": "text-classification", "labels": ["no", "<b>yes</b>"]},
        "data": {"train": "train.csv"},
        "model": {"name_or_path": "distilbert/distilbert-base-cased"},
        "training": {"learning_rate": 3e-5, "output_dir": "/home/me/runs/intents", "run_name": "hf_" + "a" * 30},
    }
)
RESULTS: dict[str, Any] = {
    "test": {"n": 40, "accuracy": 0.91254, "per_class": {"no": {"f1": 0.5}}},
    "data": {
        "train": {"examples": 100, "dropped": 2, "tokens_cut": 7, "files": {"/home/me/a|b.csv": "0123456789abcdef"}}
    },
    "training": {
        "steps": 12,
        "epochs": 3.0,
        "seconds": 4.5,
        "parameters": 1234567,
        "parameters_trained": 1234,
        "precision": "float32",
    },
}


def test_the_card_states_the_results_and_nothing_else() -> None:
    card = render(RECIPE, RESULTS)
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata == {
        "base_model": "distilbert/distilbert-base-cased",
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["hf_tasks", "full"],
    }
    assert "On test (40 examples):" in card
    assert "| accuracy | 0.9125 |" in card
    assert "| train | 100 | 2 | 7 | a\\|b.csv (0123456789ab) |" in card
    assert "12 steps, 3 epochs, 1,234 of 1,234,567 parameters, in float32; 4.5 s in all." in card
    assert "learning_rate: 3.0e-05" in card


def test_no_token_and_no_path_of_the_machine_is_on_the_card() -> None:
    card = render(RECIPE, RESULTS)
    assert "run_name: hf_***" in card
    assert "/home/me" not in card


def test_a_card_without_results_says_so() -> None:
    assert "Nothing was measured" in render(RECIPE, {name: RESULTS[name] for name in ("data", "training")})


def test_the_card_is_a_pure_function() -> None:
    assert render(RECIPE, RESULTS) == render(RECIPE, RESULTS)


def test_cells_cannot_bring_markup() -> None:
    assert cell("a|b<script>\nc") == "a\\|b&lt;script> c"
