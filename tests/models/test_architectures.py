"""A part of benchmarks/architectures.py: architectures that differ in what the code relies on."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "architectures.py"
WORK = ("modernbert", "deberta-v2", "electra", "xlm-roberta", "mpnet", "longformer", "canine", "bart")


@pytest.fixture(scope="module")
def architectures() -> Any:
    spec = importlib.util.spec_from_file_location("architectures", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for method in ("frozen", "weighted layers", "bitfit", "gradual"):
        del module.METHODS[method]
    return module


def test_it_trains_what_it_promises_and_comes_back(architectures: Any) -> None:
    found = {name: outcomes for name, _, outcomes in architectures.rows([*WORK], ["text-classification"])}
    assert found == {name: dict.fromkeys(("full", "adapter", "lora"), ("works", "")) for name in WORK}


def test_models_that_need_more_than_texts_and_mixtures_of_experts(architectures: Any) -> None:
    """A layout model asks for boxes; the sublayers of experts cannot be told apart. Neither is a traceback."""
    found = {name: outcomes for name, _, outcomes in architectures.rows(["bros", "gpt_oss"], ["token-classification"])}
    reason = "BrosForTokenClassification cannot be computed from the tokens of a text (You have to specify bbox)"
    refused = ("refused", f"model.name_or_path: {reason}; choose a checkpoint for texts")
    assert found["bros"] == dict.fromkeys(("full", "adapter", "lora"), refused)
    assert {method: kind for method, (kind, _) in found["gpt_oss"].items()} == {
        "full": "works", "adapter": "refused", "lora": "works",
    }  # fmt: skip
