"""Predictions in bfloat16: of every task close to those in float32, and with outputs that NumPy can read."""

from pathlib import Path

import pytest
import torch
import trained
from conftest import Tiny, hasten
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.runs.run import Run


@pytest.mark.parametrize("kind", trained.TASKS)
def test_predictions_of_every_task(kind: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    run = trained.train(kind, tiny(trained.ARCHITECTURES.get(kind, "bert")), tmp_path)
    half = Run.load(run.path, dtype="bfloat16")
    assert {p.dtype for p in half.model.parameters()} == {torch.bfloat16}
    rows = tmp_path / "test.jsonl"
    expected, found = run.evaluate(rows), half.evaluate(rows)
    assert found.keys() == expected.keys()
    assert found.get("loss") == (None if kind == "search" else pytest.approx(expected["loss"], rel=0.05))
    result = CliRunner().invoke(app, ["predict", str(run.path), str(rows), "--dtype", "bfloat16"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 9


@pytest.mark.parametrize("method", ["lora", "bottleneck-adapter"])
def test_adapters_weighted_layers_and_pooling(
    method: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    run = trained.train(
        "label", tiny("bert"), tmp_path, model={"weighted_layers": True, "pooling": "mean"}, method=method
    )
    half = Run.load(run.path, dtype="bfloat16").predict("a good film")
    whole = run.predict("a good film")
    assert half["probabilities"] == pytest.approx(whole["probabilities"], abs=0.02)
    assert half != whole
