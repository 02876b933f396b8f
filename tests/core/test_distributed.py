"""Two real processes (gloo) train as one does: the same batches, losses, evaluations and predictions."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten
from safetensors.torch import load_file

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.recipe import load
from hf_tasks.runs.run import Run
from hf_tasks.training import train

TOLERANCE = 1e-5
"""Of losses in float32: sums of the same numbers in another order."""


def recipe_file(tmp_path: Path, model: Path) -> Path:
    """25 rows to train on, 4 steps an epoch, the last of one row, of which the second process has none; no dropout."""
    rows = [{"text": f"{('good', 'bad')[i % 2]} film {'slow ' * (i % 7)}{i}", "score": i / 39} for i in range(38)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = json.loads((model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (tmp_path / "model").mkdir()
    for file in model.iterdir():
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "recipe.yaml").write_text(
        f"""
name: two
task: {{name: text-classification, metrics: [mse]}}
data: {{train: {tmp_path}/rows.jsonl, test: {tmp_path}/rows.jsonl, validation_size: 0.35}}
model: {{name_or_path: {tmp_path}/model}}
training: {{batch_size: 8, num_train_epochs: 2, learning_rate: 1e-3, bf16: false, logging_steps: 1}}
""",
        encoding="utf-8",
    )
    return tmp_path / "recipe.yaml"


def log_of(run: Run, key: str) -> list[float]:
    rows = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text().splitlines()]
    return [row[key] for row in rows if key in row]


def predictions_of(run: Run, split: str) -> list[float]:
    lines = (run.path / "predictions" / f"{split}.jsonl").read_text().splitlines()
    return [json.loads(line)["score"] for line in lines]


def test_two_processes_train_as_one_does(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_file(tmp_path, tiny("bert"))
    command = [sys.executable, "-m", "hf_tasks", "train", str(recipe), "-o", str(tmp_path / "two")]
    done = subprocess.run([*command, "--num-processes", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    hasten(monkeypatch)
    one, two = train(load(recipe, [f"training.output_dir={tmp_path / 'one'}"])), Run.load(tmp_path / "two")
    assert one.results["data"]["train"]["examples"] == 25
    assert [run.results["training"]["world_size"] for run in (one, two)] == [1, 2]
    assert len(log_of(two, "loss")) == 8
    for key in ("loss", "eval_loss", "eval_mse"):
        assert log_of(two, key) == pytest.approx(log_of(one, key), abs=TOLERANCE), key
    for split in ("validation", "test"):
        assert two.results[split]["n"] == one.results[split]["n"]
        assert predictions_of(two, split) == pytest.approx(predictions_of(one, split), abs=TOLERANCE)
    for name, tensor in load_file(two.path / "model.safetensors").items():
        assert float((tensor - load_file(one.path / "model.safetensors")[name]).abs().max()) < 1e-4, name
    said = [line.strip() for line in done.stderr.splitlines()]
    assert said.count("processes  2; a step uses 8 examples over all of them") == 1
    assert len([line for line in said if re.match("epoch 1: ", line)]) == 1
    assert done.stdout.count("The run is in") == 1


def test_alone_nothing_is_exchanged() -> None:
    assert distributed.rank_and_size() == (0, 1)
    assert distributed.gather("a") == ["a"]
    assert distributed.all_reduce_max([2.0, 0.0], "cpu") == [2.0, 0.0]
    assert distributed.broadcast_from_main(lambda: 7) == 7


def test_what_the_main_process_cannot_do_stops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise RunError("the disk is full")

    with pytest.raises(RunError, match="the disk is full"):
        distributed.broadcast_from_main(fails)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert (distributed.world_size(), distributed.is_main()) == (2, False)
    monkeypatch.setattr(distributed, "gather", lambda value: [RunError("the disk is full"), value])
    with pytest.raises(RunError, match="the disk is full"):
        distributed.broadcast_from_main(lambda: pytest.fail("only the main process finds out"))


def test_a_number_of_processes_that_were_not_started_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from hf_tasks.cli import app

    monkeypatch.setenv("WORLD_SIZE", "2")
    result = CliRunner().invoke(app, ["train", "recipe.yaml", "--num-processes", "4"])
    text = "--num-processes 4: 2 processes were started by a launcher; remove this option"
    assert str(result.exception) == text
