import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from hf_tasks.publish.card import gather
from hf_tasks.publish.card.facts import curve
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs.example import example
from hf_tasks.training.arguments import arguments


def log(path: Path, rows: list[dict[str, float]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_curve_has_at_most_100_points_which_hide_no_value(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": float(step % 2)} for step in range(1, 251)]
    found = curve(
        log(tmp_path / "log.jsonl", [*rows, {"step": 250, "eval_loss": 0.5, "eval_score": 0.75, "epoch": 1.0}])
    )
    assert len(found["train"]) == 84
    assert found["train"][0] == [3, round(2 / 3, 5)] and found["train"][-1] == [250, 0.0]
    assert found["validation"] == [[250, 0.5, 0.75]]


def test_a_short_curve_is_kept_as_it_is(tmp_path: Path) -> None:
    found = curve(
        log(tmp_path / "log.jsonl", [{"step": 10, "loss": 0.5, "epoch": 0.1}, {"step": 11, "train_runtime": 1}])
    )
    assert found == {"train": [[10, 0.5]], "validation": []}
    assert curve(log(tmp_path / "log.jsonl", [])) == {"train": [], "validation": []}


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (["a" * 400, "first", "b"], 1),
        (["a" * 400, "b" * 350, "c" * 500, *["d" * 600] * 60, "x"], 1),
    ],
    ids=["the first short one", "the shortest of the first"],
)
def test_the_example_is_short(recipe: Recipe, texts: list[str], chosen: int) -> None:
    predictions = [{"label": str(i), "score": 0.5, "probabilities": {"no": 0.5}} for i in range(len(texts))]
    examples = Dataset.from_dict({"text": texts, "label": ["no"] * len(texts)})
    assert example(recipe.task, examples, predictions) == {
        "input": {"text": texts[chosen]}, "prediction": {"label": str(chosen), "score": 0.5},
    }  # fmt: skip


def test_the_example_of_words_is_given_in_words() -> None:
    values = {
        "name": "ner", "task": {"name": "token-classification"}, "data": {"train": "t.conll"},
        "model": {"name_or_path": "org/base"},
    }  # fmt: skip
    examples = Dataset.from_dict({"tokens": [["Ann", "met", "Bo"]], "tags": [["B-PER", "O", "B-PER"]]})
    prediction = {"tokens": ["Ann", "met", "Bo"], "tags": ["O", "O", "O"], "scores": [0.5, 0.5, 0.5], "entities": []}
    found = example(from_dict(values).task, examples, [prediction])
    assert found["input"] == {"tokens": ["Ann", "met", "Bo"]}
    assert found["prediction"] == {"tokens": ["Ann", "met", "Bo"], "tags": ["O", "O", "O"], "entities": []}


def gathered(path: Path, values: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    recipe = from_dict(values)
    return gather(path, recipe, results, arguments(recipe, validated="validation" in results["data"]).to_dict())


@pytest.fixture
def directory(tmp_path: Path, values: dict[str, Any], results: dict[str, Any]) -> Path:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert"}')
    values["model"]["name_or_path"] = str(base)
    (tmp_path / "environment.json").write_text(json.dumps(results["environment"] | {"recipe_folder": "/home/me"}))
    log(tmp_path / "training_log.jsonl", [{"step": 10, "loss": 0.5}])
    return tmp_path


def test_facts_of_a_run(directory: Path, values: dict[str, Any], results: dict[str, Any]) -> None:
    facts = gathered(directory, values, results)
    assert facts["environment"] == results["environment"]
    assert facts["curve"] == {"train": [[10, 0.5]], "validation": []}
    assert facts["energy"] == {
        "watts": 10.0, "wh": 0.02,
        "from": "assumed: 5 W for each of the 2 cores; the rest of the machine is not counted",
    }  # fmt: skip
    shown = facts["arguments"]
    assert (shown["learning_rate"], shown["seed"], shown["weight_decay"]) == (3e-5, 42, 0.01)
    assert not {"output_dir", "run_name", "hub_token", "fp16"} & shown.keys()


def test_energy_by_the_power_that_the_recipe_states(
    directory: Path, values: dict[str, Any], results: dict[str, Any]
) -> None:
    values["card"]["watts"] = 800.0
    energy = gathered(directory, values, results)["energy"]
    assert energy == {"watts": 800.0, "from": "as stated in the recipe", "wh": 1.6}


def test_energy_of_an_accelerator_by_its_power_limit_or_not_at_all(
    directory: Path, values: dict[str, Any], results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "environment.json").write_text(json.dumps(results["environment"] | {"accelerator": "A card"}))
    monkeypatch.setattr("shutil.which", lambda tool: None)
    assert gathered(directory, values, results)["energy"] is None
    tool = directory / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 700.00\n")
    tool.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(tool))
    energy = gathered(directory, values, results)["energy"]
    assert energy == {
        "watts": 700.0,
        "from": "the accelerator's power limit; the rest of the machine is not counted",
        "wh": 1.4,
    }
    tool.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert gathered(directory, values, results)["energy"] is None
