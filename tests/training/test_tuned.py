"""What is tuned on the validation part is stored in the run, and used by everything that predicts."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Tiny, hasten

from hf_tasks.recipe import from_dict
from hf_tasks.runs.run import Run
from hf_tasks.tasks import TextClassification, TokenClassification
from hf_tasks.training import train

WORDS = ["good", "bad", "film", "book", "paris", "slow"]


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check in a fresh process, which takes seconds."""
    hasten(monkeypatch)


def recipe(tiny: Tiny, folder: Path, rows: list[dict[str, Any]], **task: Any) -> Any:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return from_dict(
        {
            "name": "tiny",
            "task": task,
            "data": {"train": str(file), "validation": str(file), "test": str(file)},
            "model": {"name_or_path": str(tiny("bert"))},
            "training": {"num_train_epochs": 1, "learning_rate": 1e-2, "output_dir": str(folder / "run")},
        }
    )


def test_threshold_and_temperature_are_kept_and_used(tiny: Tiny, tmp_path: Path, capsys: Any) -> None:
    rows = [{"text": f"{WORDS[i % 6]} {WORDS[i % 5]}", "label": "yes" if i % 6 in (0, 4) else "no"} for i in range(36)]
    tuned = {"threshold": "tuned", "temperature": "tuned"}
    train(recipe(tiny, tmp_path, rows, name="text-classification", metrics=["f1", "ece", "nll"], **tuned))
    stored = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8"))["task"]
    assert isinstance(stored["threshold"], float)
    assert isinstance(stored["temperature"], float)
    said = capsys.readouterr().err
    assert f"  tuned      threshold: {stored['threshold']:.4f}\n" in said
    assert f"  tuned      temperature: {stored['temperature']:.4f}\n" in said
    run = Run.load(tmp_path / "run")
    found = run.predict([{"text": row["text"]} for row in rows])
    assert [row["label"] for row in found] == [
        "yes" if row["probabilities"]["yes"] > stored["threshold"] else "no" for row in found
    ]
    assert run.evaluate(rows) == run.results["test"]
    assert run.results["test"]["intervals"].keys() == {"f1_macro", "f1_micro", "f1_weighted", "ece_debiased", "nll"}
    assert isinstance(run.recipe.task, TextClassification)
    colder = run.recipe.task.model_copy(update={"temperature": stored["temperature"] * 3, "threshold": 0.5})
    other = Run(run.path, run.recipe.model_copy(update={"task": colder}))
    assert other.evaluate(rows)["nll"] > run.results["test"]["nll"]


def test_tags_have_a_temperature(tiny: Tiny, tmp_path: Path) -> None:
    rows = [
        {"tokens": [WORDS[(i + j) % 6] for j in range(4)], "tags": [("A", "B")[(i + j) % 2] for j in range(4)]}
        for i in range(12)
    ]
    metrics = ["tagging_accuracy", "ece"]
    train(recipe(tiny, tmp_path, rows, name="token-classification", metrics=metrics, temperature="tuned"))
    run = Run.load(tmp_path / "run")
    task = run.recipe.task
    assert isinstance(task, TokenClassification)
    assert isinstance(task.temperature, float)
    assert 0.05 < task.temperature < 20
    plain = Run(run.path, run.recipe.model_copy(update={"task": task.model_copy(update={"temperature": 1.0})}))
    tokens = [{"tokens": row["tokens"]} for row in rows]
    ours, theirs = run.predict(tokens), plain.predict(tokens)
    assert [row["tags"] for row in ours] == [row["tags"] for row in theirs]
    assert ours[0]["scores"] != pytest.approx(theirs[0]["scores"], abs=1e-4)
    assert run.results["test"]["intervals"].keys() == {"tagging_accuracy", "ece_debiased"}
