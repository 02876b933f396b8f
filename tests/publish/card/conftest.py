"""A recipe and results that cards are made from, without any training."""

import copy
from typing import Any

import pytest

from hf_tasks.recipe import Recipe, from_dict

RECIPE: dict[str, Any] = {
    "name": "intents",
    "task": {
        "name": "text-classification", "labels": ["no", "yes"], "problem_type": "single_label_classification",
        "metrics": ["accuracy", "per_class"],
    },
    "data": {"train": "/home/me/data/train.csv"},
    "model": {"name_or_path": "distilbert/distilbert-base-cased"},
    "method": {"name": "full"},
    "training": {"learning_rate": 3e-5, "output_dir": "/home/me/runs/intents", "run_name": "hf_" + "a" * 30},
    "card": {"language": "en", "data_name": "Intents"},
}  # fmt: skip
RESULTS: dict[str, Any] = {
    "validation": {"n": 10, "accuracy": 0.9, "loss": 0.25},
    "test": {
        "n": 40,
        "accuracy": 0.91254,
        "per_class": {"no": {"precision": 0.5, "support": 20}, "yes": {"precision": 0.75, "support": 20}},
    },
    "example": {"input": {"text": "Is it?"}, "prediction": {"label": "yes", "score": 0.875}},
    "data": {
        "train": {
            "examples": 100, "features": 120, "dropped": 2, "tokens_cut": 7,
            "files": {"/home/me/data/a|b.csv": "0123456789abcdef"},
        },
        "validation": {"examples": 10, "features": 10, "dropped": 0, "tokens_cut": 0, "files": {}},
        "test": {"examples": 40, "features": 40, "dropped": 0, "tokens_cut": 0, "files": {"t.csv": "f" * 64}},
    },
    "training": {
        "steps": 12, "epochs": 3.0, "seconds": 7.2, "parameters": 1234567, "parameters_trained": 1234,
        "precision": "float32", "best_step": 8,
    },
    "environment": {
        "python": "3.11.7", "platform": "Linux", "processor": "A chip", "cpu_count": 2, "accelerator": None,
        "packages": {"hf_tasks": "0.1.0", "torch": "2.13.0"},
    },
    "base": {"from": "hub", "model_type": "distilbert", "license": "apache-2.0"},
    "curve": {"train": [[10, 0.5], [12, 0.25]], "validation": [[12, 0.25, 0.9]]},
    "energy": {"watts": 10.0, "from": "assumed: 5 W for each of the 2 cores", "wh": 0.02},
}  # fmt: skip


@pytest.fixture
def values() -> dict[str, Any]:
    """The recipe as plain values, to be changed."""
    return copy.deepcopy(RECIPE)


@pytest.fixture
def recipe() -> Recipe:
    return from_dict(RECIPE)


@pytest.fixture
def results() -> dict[str, Any]:
    return copy.deepcopy(RESULTS)
