"""Whatever interrupts a training, the same command ends with the same weights, bit for bit."""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny, hasten
from transformers import PreTrainedTokenizerFast

from hf_tasks.core import hardware
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import publish
from hf_tasks.core.hashing import sha256
from hf_tasks.core.signals import Interrupted
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import evaluation, model_files
from hf_tasks.runs.run import Run
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.runs.status import locked, read_origin, record_outcome, status, write_status
from hf_tasks.training import checkpoints, safe_trainer, train
from hf_tasks.training.safe_trainer import SafeTrainer

ROWS = 40
"""28 of them train, in 4 steps an epoch of 8, 8, 8 and 4 rows."""


class Killed(BaseException):
    """Stands for kill -9: nothing of the training's own code runs after it."""


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["good", "bad", "slow", "fast", "film", "book", "card", "phone"]
    texts = [" ".join(words[(i * k) % 8] for k in range(1, 2 + i % 9)) for i in range(ROWS)]
    rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


Make = Callable[..., Recipe]


@pytest.fixture(scope="module")
def make(tiny: Tiny, rows_file: Path) -> Make:
    """A recipe with dropout whose early stopping ends it in the fourth epoch of nine."""

    def build(path: Path, training: dict[str, Any] | None = None, **sections: Any) -> Recipe:
        training = {
            "num_train_epochs": 9, "batch_size": 8, "learning_rate": 5e-3, "output_dir": str(path),
        } | (training or {})  # fmt: skip
        values = {
            "name": "tiny",
            "task": {"name": "text-classification"},
            "data": {"train": str(rows_file), "validation_size": 0.3},
            "model": {"name_or_path": str(tiny("bert"))},
            "training": training,
            "early_stopping": {"early_stopping_patience": 3, "early_stopping_threshold": 1.0},
        }
        return from_dict(values | sections)

    return build


def facts_of(run: Run) -> dict[str, Any]:
    """What must not depend on interruptions: the weights, the results, the evaluations, the data seen."""
    log = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text().splitlines()]
    training = {key: run.results["training"][key] for key in ("steps", "epochs", "best_step", "padding")}
    return {
        "files": sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*")),
        "weights": {file.name: sha256(file) for file in run.path.glob("*.safetensors")},
        "losses": [(row["step"], row.get("loss"), row.get("train_loss"), row.get("eval_loss")) for row in log],
        "curve": run.results["curve"],
        "validation": run.results["validation"],
        "training": training,
        "arguments": run.results["arguments"],
    }


@pytest.fixture(scope="module")
def undisturbed(make: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        facts = facts_of(train(make(tmp_path_factory.mktemp("runs") / "undisturbed")))
    assert facts["training"]["steps"] == 16
    assert [step for step, *losses in facts["losses"] if losses[2]] == [4, 8, 12, 16]
    assert [step for step, *losses in facts["losses"] if losses[0]] == [10]
    return facts


@contextmanager
def killed_in(where: Any, name: str, nth: int, *, half_written: bool = False) -> Iterator[None]:
    """Kills at the beginning of the nth call of a function; `half_written`: after it has written half of a file."""
    calls, real = iter(range(1, 1000)), where.__dict__[name]

    def deadly(*args: Any, **options: Any) -> Any:
        if next(calls) < nth:
            return real(*args, **options)
        if half_written:
            real(*args, **options)
            path = Path(args[1])
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, deadly)
        with pytest.raises(Killed):
            yield


POINTS: dict[str, tuple[Any, ...]] = {
    "before the first checkpoint": (SafeTrainer, "training_step", 3),
    "within the second epoch": (SafeTrainer, "training_step", 7),
    "during an evaluation": (evaluation, "outputs", 3),
    "within optimizer.pt": (torch, "save", 6),
    "within rng_state.pth": (torch, "save", 8),
    "before a manifest": (checkpoints, "finalize", 2),
    "while an old checkpoint is removed": (checkpoints, "remove", 1),
    "after the last checkpoint": (model_files, "save", 1),
    "while the run is moved to its place": (Path, "replace", 12),  # of JSON files and others
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_ends_with_the_same_weights(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path, point: str
) -> None:
    where, name, nth = POINTS[point]
    with killed_in(where, name, nth, half_written=where is torch):
        train(make(tmp_path / "run"))
    assert not Run.is_finished(tmp_path / "run")
    run = train(make(tmp_path / "run"))
    assert facts_of(run) == undisturbed
    assert status(run.path) == ("finished", "")


def raise_signal(signum: int, step: int) -> Any:
    """A training_step that sends the process a signal in the midst of a step."""
    real, calls = SafeTrainer.training_step, iter(range(1, 1000))

    def interrupted(self: SafeTrainer, *args: Any) -> Any:
        loss = real(self, *args)
        if next(calls) == step:
            os.kill(os.getpid(), signum)
        return loss

    return interrupted


@pytest.mark.parametrize(("signum", "step", "code"), [(signal.SIGTERM, 6, 143), (signal.SIGINT, 8, 130)])
def test_a_signal_saves_at_the_end_of_the_step(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path, signum: int, step: int, code: int
) -> None:
    handlers = [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SafeTrainer, "training_step", raise_signal(signum, step))
        with pytest.raises(Interrupted) as e:
            train(make(tmp_path / "run"))
    text = f"interrupted, saved at step {step}; run the same command again to continue"
    assert (str(e.value), e.value.exit_code) == (text, code)
    assert status(tmp_path / "run") == ("interrupted", text)
    assert [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert facts_of(train(make(tmp_path / "run"))) == undisturbed


def test_a_second_ctrl_c_stops_at_once(make: Make, tmp_path: Path) -> None:
    def twice(self: SafeTrainer, *args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SafeTrainer, "training_step", twice)
        with pytest.raises(KeyboardInterrupt):
            train(make(tmp_path / "run"))
    assert status(tmp_path / "run")[0] == "interrupted"


def interrupted_at(make: Make, path: Path, step: int) -> None:
    with killed_in(SafeTrainer, "training_step", step):
        train(make(path))


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    interrupted_at(make, run, 10)
    optimizer = run / "checkpoints" / "checkpoint-8" / "optimizer.pt"
    data = bytearray(optimizer.read_bytes())
    data[len(data) // 2] ^= 1
    optimizer.write_bytes(data)
    capsys.readouterr()
    assert facts_of(train(make(run))) == undisturbed
    said = capsys.readouterr().err.splitlines()
    assert f"not used: {optimizer.parent}: optimizer.pt is not as it was written" in said
    assert f"resuming {run} from step 4" in said


def test_a_run_that_was_moved_goes_on(make: Make, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    interrupted_at(make, tmp_path / "run", 10)
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert facts_of(train(make(tmp_path / "elsewhere"))) == undisturbed


def test_another_recipe_data_or_number_of_processes_is_refused(
    make: Make, tiny: Tiny, tmp_path: Path, rows_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, copy = tmp_path / "run", tmp_path / "rows.jsonl"
    shutil.copy(rows_file, copy)
    data = {"train": str(copy), "validation_size": 0.3}
    with killed_in(SafeTrainer, "training_step", 6):
        train(make(run, data=data))
    remedy = "undo that to resume it, choose another --output-dir, or start again with --overwrite"
    other = make(run, {"learning_rate": 1e-3, "seed": 7, "logging_steps": 3}, data=data)
    with pytest.raises(RunError) as e:
        train(other)
    assert e.value.problems == (
        f"{run}: this training was not finished, and training.learning_rate was 0.005 and is now 0.001; {remedy}",
        f"{run}: this training was not finished, and training.seed was 42 and is now 7; {remedy}",
    )
    with copy.open("a") as file:
        file.write('{"text": "one more", "label": "yes"}\n')
    with pytest.raises(RunError) as e:
        train(make(run, data=data))
    assert str(e.value) == f"{run}: this training was not finished, and the data have changed ({copy}); {remedy}"
    shutil.copy(rows_file, copy)
    base = Path(shutil.copytree(tiny("bert"), tmp_path / "base"))
    for name in ("model.safetensors", "tokenizer.json"):
        with (base / name).open("ab") as file:
            file.write(b" ")
    with pytest.raises(RunError) as e:
        train(make(run, data=data, model={"name_or_path": str(base)}))
    changed = "the checkpoint of model.name_or_path has changed (model.safetensors, tokenizer.json)"
    assert str(e.value) == f"{run}: this training was not finished, and {changed}; {remedy}"
    origin = read_origin(run)
    assert origin is not None
    now = replace(origin, processes=2)
    assert list(origin.changes(now)) == ["the number of processes was 1 and is now 2"]
    assert (run / "checkpoints" / "checkpoint-4" / "manifest.json").exists()
    assert train(make(run, data=data)).results["training"]["steps"] == 16


def test_what_changes_nothing_is_not_refused(
    make: Make, tiny: Tiny, undisturbed: dict[str, Any], tmp_path: Path, rows_file: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The same data and checkpoint in other padded_tokens, a default that is written out, the language of the card."""
    interrupted_at(make, tmp_path / "run", 10)
    shutil.copy(rows_file, tmp_path / "copy.jsonl")
    shutil.copytree(tiny("bert"), tmp_path / "base")
    sections = {
        "name": "other",
        "data": {"train": str(tmp_path / "copy.jsonl"), "validation_size": 0.3, "bad_rows": "stop"},
        "model": {"name_or_path": str(tmp_path / "base")},
        "card": {"language": "de"},
        "method": {"name": "full"},
    }
    capsys.readouterr()
    monkeypatch.setattr(hardware, "numeric_environment", lambda: {"threads": 99})
    facts = facts_of(train(make(tmp_path / "run", {"seed": 42, "lr_scheduler_type": "linear"}, **sections)))
    for name in ("weights", "losses", "curve", "training", "validation"):
        assert facts[name] == undisturbed[name]
    said = capsys.readouterr().err.splitlines()
    assert f"resuming {tmp_path / 'run'} from step 8" in said
    assert [line for line in said if line.endswith(" and is now 99: results can differ by rounding from here on")]


def test_two_trainings_never_share_a_directory(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with locked(path), pytest.raises(RunError) as e:
        train(make(path))
    text = "another training is running in this directory; wait for it, or choose another --output-dir"
    assert str(e.value) == f"{path}: {text}"


def test_the_status_tells_what_became_of_a_training(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    write_status(path, "running")
    assert status(path) == ("interrupted", "it was killed")
    with locked(path):
        assert status(path) == ("running", "")
    with pytest.raises(RunError), record_outcome(path):
        raise RunError("the disk is full")
    assert status(path) == ("failed", "the disk is full")


def test_without_validation_it_goes_on_too(make: Make, tmp_path: Path, rows_file: Path) -> None:
    sections = {"data": {"train": str(rows_file), "validation_size": 0}, "early_stopping": None}
    training = {"num_train_epochs": 2, "max_steps": 8}  # of 5 steps an epoch
    weights = []
    for name in ("undisturbed", "killed"):
        if name == "killed":
            with killed_in(model_files, "save", 1):
                train(make(tmp_path / name, training, **sections))
        run = train(make(tmp_path / name, training, **sections))
        assert run.results["training"]["steps"] == 8
        weights.append((run.path / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


METHODS: dict[str, dict[str, Any]] = {
    "gradual-unfreezing": {"epochs_per_block": 1},
    "frozen": {},
    "bitfit": {},
    "lora": {"r": 4, "lora_dropout": 0.1},
}


@pytest.mark.parametrize("name", METHODS)
def test_every_kind_of_method_goes_on_exactly(make: Make, tmp_path: Path, name: str) -> None:
    sections = {"method": {"name": name, **METHODS[name]}, "early_stopping": None}
    training = {"num_train_epochs": 3}
    undisturbed = facts_of(train(make(tmp_path / "undisturbed", training, **sections)))
    with killed_in(SafeTrainer, "training_step", 7):
        train(make(tmp_path / "killed", training, **sections))
    assert facts_of(train(make(tmp_path / "killed", training, **sections))) == undisturbed


def test_killed_before_anything_was_noted(make: Make, tmp_path: Path) -> None:
    """Whatever of the first two files is there, the same command begins."""
    training = {"max_steps": 1}
    for nth in (1, 2):
        with killed_in(Path, "replace", nth):
            train(make(tmp_path / "run", training))
    assert train(make(tmp_path / "run", training)).results["training"]["steps"] == 1


def test_an_unfinished_run_of_unknown_origin_is_left_alone(make: Make, tmp_path: Path) -> None:
    interrupted_at(make, tmp_path / "run", 6)
    (tmp_path / "run" / "status.json").unlink()
    with pytest.raises(RunError) as e:
        train(make(tmp_path / "run"))
    assert str(e.value) == (
        f"{tmp_path / 'run'}: contains an unfinished run whose inputs were not recorded; look at it, "
        "choose another --output-dir, or add --overwrite"
    )
    assert (tmp_path / "run" / "checkpoints" / "checkpoint-4").exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_a_long_evaluation_is_answered_at_once(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path, signum: int
) -> None:
    """The step before the evaluation was saved."""
    real, calls = evaluation.outputs, iter(range(1, 1000))

    def signalled(*args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        if next(calls) == 3:  # the first one only sees whether the metrics can be computed
            os.kill(os.getpid(), signum)
            pytest.fail("the signal was not answered")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safe_trainer, "LONG", 0.0)
        patch.setattr(evaluation, "outputs", signalled)
        with pytest.raises(Interrupted) as e:
            train(make(tmp_path / "run"))
    text = "interrupted, saved at step 7; run the same command again to continue"
    assert (str(e.value), e.value.exit_code) == (text, 128 + signum)
    assert status(tmp_path / "run") == ("interrupted", text)
    assert facts_of(train(make(tmp_path / "run"))) == undisturbed


def test_a_signal_while_the_run_is_measured_is_answered_at_once(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StagedRun, "measure", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted) as e:
            train(make(tmp_path / "run"))
    text = "interrupted by SIGTERM; run the same command again to continue"
    assert status(tmp_path / "run") == ("interrupted", text)
    assert e.value.exit_code == 143
    assert facts_of(train(make(tmp_path / "run"))) == undisturbed


def test_what_a_kill_left_of_a_whole_run_is_removed_by_the_next_command(
    make: Make, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Killed between the results and the status: all is there, and more."""
    real = publish

    def deadly(*args: Any, **options: Any) -> None:
        real(*args, **options)
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("hf_tasks.runs.staged_run.publish", deadly)
        train(make(tmp_path / "run"))
    assert {"checkpoints", ".lock"} < {path.name for path in (tmp_path / "run").iterdir()}
    assert status(tmp_path / "run")[0] != "finished"
    assert facts_of(Run.load(tmp_path / "run")) == undisturbed
    assert status(tmp_path / "run") == ("finished", "")


def test_killed_before_the_status_of_a_whole_run(make: Make, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    real = write_status

    def deadly(path: Path, status: Any, *args: Any, **options: Any) -> None:
        if status == "finished":
            raise Killed
        real(path, status, *args, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("hf_tasks.runs.status.write_status", deadly)
        train(make(tmp_path / "run"))
    assert status(tmp_path / "run")[0] != "finished"
    assert facts_of(Run.load(tmp_path / "run")) == undisturbed
    assert status(tmp_path / "run") == ("finished", "")


@pytest.mark.parametrize("content", [None, "", '{"packages"'])
def test_a_lost_or_cut_environment_is_written_again(make: Make, tmp_path: Path, content: str | None) -> None:
    interrupted_at(make, tmp_path / "run", 6)
    environment = tmp_path / "run" / "environment.json"
    environment.unlink() if content is None else environment.write_text(content)
    run = train(make(tmp_path / "run"))
    assert "hf_tasks" in json.loads(environment.read_text())["packages"]
    assert run.results["environment"]["packages"] == json.loads(environment.read_text())["packages"]


def test_a_training_that_cannot_begin_has_failed(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(StagedRun, "begin", full)
    with pytest.raises(RunError) as e:
        train(make(tmp_path / "run"))
    text = f"{tmp_path / 'run'}: cannot be written: No space left on device; choose another --output-dir"
    assert (str(e.value), status(tmp_path / "run")) == (text, ("failed", text))


def test_a_tokenizer_that_cannot_be_written_is_one_message(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizers library raises a plain Exception."""

    def full(*_: Any, **__: Any) -> None:
        raise Exception("Disk quota exceeded (os error 122)")

    recipe = make(tmp_path / "run")
    monkeypatch.setattr(PreTrainedTokenizerFast, "save_pretrained", full)
    with pytest.raises(RunError) as e:
        train(recipe)
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-3"
    assert str(e.value) == (
        f"{checkpoint}: the checkpoint cannot be written: Disk quota exceeded; there is no checkpoint yet, free "
        "space or repair the folder and run the same command again"
    )
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("status.json", "is a folder where a file belongs; remove it"),
        ("results.json", "is a folder where a file belongs; remove it"),
        ("checkpoints", "is a file where a folder belongs; remove it"),
        ("unfinished", "is a file where a folder belongs; remove it"),
    ],
)
def test_a_file_for_a_folder_and_the_reverse_are_named(make: Make, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "run").mkdir()
    place = tmp_path / "run" / name
    place.mkdir() if "." in name else place.write_text("")
    with pytest.raises(RunError) as e:
        train(make(tmp_path / "run"))
    assert str(e.value) == f"{place}: {text}"


def test_damaged_results_are_named(make: Make, tmp_path: Path) -> None:
    path = train(make(tmp_path / "run", {"max_steps": 1})).path
    (path / "results.json").write_text("")
    text = f"{path}/results.json: is empty or damaged; restore it, or train the run again with --overwrite"
    for again in (lambda: train(make(path, {"max_steps": 1})), lambda: Run.load(path)):
        with pytest.raises(RunError) as e:
            again()
        assert str(e.value) == text
