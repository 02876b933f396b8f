"""What trackers are told is what the run's own log says; a training that was interrupted goes on in the same record."""

import json
import os
import signal
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten
from transformers import TrainerCallback

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.signals import Interrupted
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs.run import Run
from hf_tasks.training import trackers, train
from hf_tasks.training.check import check

Make = Callable[[Any], Recipe]
Values = dict[str, dict[int, float]]
"""Of each name the value at each step."""


class Stop(TrainerCallback):  # type: ignore[misc]
    """A signal in the middle of the first epoch."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 1:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def make(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """2 epochs of 3 steps; every tracker writes below `tmp_path`."""
    hasten(monkeypatch)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    rows = [{"text": f"{('good', 'bad')[i % 2]} film {i}", "label": ("yes", "no")[i % 2]} for i in range(30)]
    for name, some in (("rows", rows[:24]), ("dev", rows[24:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")

    def build(report_to: Any) -> Recipe:
        training = {"num_train_epochs": 2, "batch_size": 8, "bf16": False, "logging_steps": 1, "report_to": report_to}
        return from_dict(
            {
                "name": "tiny",
                "task": {"name": "text-classification"},
                "data": {"train": str(tmp_path / "rows.jsonl"), "validation": str(tmp_path / "dev.jsonl")},
                "model": {"name_or_path": str(tiny("bert"))},
                "training": training | {"output_dir": str(tmp_path / "run")},
            }
        )

    return build


def interrupted_and_resumed(recipe: Recipe) -> tuple[Run, Values]:
    """The run, and what it logged of the loss and of the validation accuracy."""
    with pytest.raises(Interrupted):
        train(recipe, callbacks=[Stop()])
    run = train(recipe)
    log = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text(encoding="utf-8").splitlines()]
    names = ("loss", "eval_accuracy")
    logged = {name: {line["step"]: line[name] for line in log if name in line} for name in names}
    assert [list(values) for values in logged.values()] == [[1, 2, 3, 4, 5, 6], [3, 6]]
    return run, logged


def test_tensorboard(make: Make) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run, logged = interrupted_and_resumed(make("tensorboard"))
    events = accumulators.EventAccumulator(str(run.path / "tensorboard")).Reload()
    names = {"loss": "train/loss", "eval_accuracy": "eval/accuracy"}
    found = {name: [(event.step, event.value) for event in events.Scalars(tag)] for name, tag in names.items()}
    assert found == {name: [(step, pytest.approx(v, rel=1e-6)) for step, v in logged[name].items()] for name in names}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy 2.1, for how mlflow 3.17 uses it
def test_mlflow(make: Make, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    run, logged = interrupted_and_resumed(make(["mlflow"]))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (record,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert record.info.status == "FINISHED"
    assert record.info.run_name == json.loads((run.path / "trackers.json").read_text())["name"]
    histories = {name: client.get_metric_history(record.info.run_id, name) for name in logged}
    assert {name: {one.step: one.value for one in found} for name, found in histories.items()} == logged
    assert {name: len(found) for name, found in histories.items()} == {"loss": 6, "eval_accuracy": 2}


def test_trackio(make: Make, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    run, logged = interrupted_and_resumed(make(["trackio"]))
    (database,) = (tmp_path / "trackio").glob("tiny*.db")
    with sqlite3.connect(database) as db:
        rows = db.execute("SELECT run_name, metrics FROM metrics").fetchall()
    assert {name for name, _ in rows} == {json.loads((run.path / "trackers.json").read_text())["name"]}
    told = [json.loads(metrics) for _, metrics in rows]
    names = {"loss": "train/loss", "eval_accuracy": "eval/accuracy"}
    assert {name: {t["train/global_step"]: t[tag] for t in told if tag in t} for name, tag in names.items()} == logged


def test_wandb(make: Make) -> None:
    pytest.importorskip("wandb")
    run, logged = interrupted_and_resumed(make(["wandb"]))
    files = sorted((run.path / "wandb").glob("offline-run-*/*.wandb"))
    assert {file.stem for file in files} == {f"run-{json.loads((run.path / 'trackers.json').read_text())['name']}"}
    told = [history for file in files for history in wandb_history(file)]
    names = {"loss": "train/loss", "eval_accuracy": "eval/accuracy"}
    assert {name: {t["train/global_step"]: t[tag] for t in told if tag in t} for name, tag in names.items()} == logged


def wandb_history(file: Path) -> list[dict[str, Any]]:
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for data in records(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        if record.history.item:
            items = record.history.item
            found.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return found


def records(log: bytes) -> Iterator[bytes]:
    """What is in a log of LevelDB's form: blocks of 32 KiB, pieces of records with checksum, length and kind (1: whole,
    2: the first piece, 4: the last one); wandb's begins with 7 bytes of its own."""
    place, data, block = 7, b"", 1 << 15
    while place + 7 <= len(log):
        if block - place % block < 7:
            place += block - place % block
            continue
        length, kind = struct.unpack("<HB", log[place + 4 : place + 7])
        data += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield data
            data = b""


def test_a_tracker_that_is_not_installed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(RecipeError) as e:
        check(make(["tensorboard"]))
    assert str(e.value) == "training.report_to: tensorboard is not installed; pip install 'hf_tasks[trackers]'"


def test_a_tracker_that_does_not_exist(make: Make) -> None:
    with pytest.raises(RecipeError) as e:
        check(make("tensorbord"))
    assert str(e.value) == (
        'training.report_to: there is no tracker "tensorbord"; did you mean "tensorboard"? '
        "(among them: tensorboard, wandb, mlflow, trackio)"
    )


@pytest.mark.parametrize("given", [None, "none", ["none"], []])
def test_none(make: Make, given: Any) -> None:
    recipe = make(given)
    assert trackers.named(recipe) == []
    with trackers.callbacks(recipe) as made:
        assert made == []


def test_a_record_keeps_its_name_and_another_training_has_another(tmp_path: Path) -> None:
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
    first = trackers.identity(tmp_path / "a", "tiny")
    assert trackers.identity(tmp_path / "a", "tiny") == first
    trackers.remember(tmp_path / "a", mlflow="42")
    assert trackers.identity(tmp_path / "a", "tiny") == first | {"mlflow": "42"}
    assert trackers.identity(tmp_path / "b", "tiny")["name"] != first["name"]


def test_a_tracker_of_transformers_that_is_not_installed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "transformers.integrations.integration_utils.get_available_reporting_integrations"
    monkeypatch.setattr(place, lambda: ["wandb"])
    with pytest.raises(RecipeError) as e:
        check(make(["neptune"]))
    assert str(e.value) == "training.report_to: the library of neptune is not installed; install it with pip"
