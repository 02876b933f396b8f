"""What a training does when memory, disk or numbers run out: one message, and nothing lost."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import Tiny, hasten
from safetensors.torch import load_file

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs.status import status
from hf_tasks.tasks import TextClassification
from hf_tasks.training import checkpoints, train
from hf_tasks.training.safe_trainer import SafeTrainer

Make = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@pytest.fixture
def make(tiny: Tiny, tmp_path: Path) -> Make:
    """24 rows without validation, 3 steps an epoch of 8 rows in the order of the file, float32, no dropout."""
    rows = [{"text": f"{('good', 'bad')[i % 2]} film {i}", "label": ("yes", "no")[i % 2]} for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = tmp_path / "model"
    model.mkdir()
    for file in tiny("bert").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    config = json.loads((model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (model / "config.json").write_text(json.dumps(config))

    def build(training: dict[str, Any] | None = None, run: str = "run") -> Recipe:
        training = {
            "num_train_epochs": 2, "batch_size": 8, "bf16": False, "train_sampling_strategy": "sequential",
            "output_dir": str(tmp_path / run),
        } | (training or {})  # fmt: skip
        return from_dict(
            {
                "name": "tiny",
                "task": {"name": "text-classification"},
                "data": {"train": str(tmp_path / "rows.jsonl"), "validation_size": 0},
                "model": {"name_or_path": str(model)},
                "training": training,
            }
        )

    return build


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_step_rate_and_rows(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    real, calls = TextClassification.loss, iter(range(1, 100))

    def loss(self: TextClassification, outputs: Any, batch: Any, items: Any = None) -> Any:
        one = real(self, outputs, batch, items)
        return one * value if one.requires_grad and next(calls) == 5 else one

    monkeypatch.setattr(TextClassification, "loss", loss)
    with pytest.raises(RunError) as e:
        train(make({"learning_rate": 1e-3, "warmup_steps": 0}))
    rows, good = f"{tmp_path}/rows.jsonl", tmp_path / "run" / "checkpoints" / "checkpoint-3"
    assert str(e.value) == (
        "training: the loss is infinite or not a number at step 5 (learning rate 0.000333), in the rows "
        f"{rows}:9, 10, 11, 12, 13, 14, 15, 16; look at these rows, or lower training.learning_rate; "
        f"the last good checkpoint is {good}"
    )
    assert checkpoints.last_good(good.parent) == (good, [])
    assert status(tmp_path / "run")[0] == "failed"


def test_weights_that_are_no_numbers_are_not_saved(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def poison(self: SafeTrainer, *args: Any, **options: Any) -> None:
        if self.state.global_step == 6:
            next(self.model.parameters()).data[0, 0] = torch.nan

    real = SafeTrainer.save_model
    monkeypatch.setattr(SafeTrainer, "save_model", lambda *a, **k: (poison(*a, **k), real(*a, **k))[1])
    recipe = make()
    with pytest.raises(RunError, match="weights are infinite or not numbers after step 6; lower training.learning"):
        train(recipe)
    root = recipe.output_dir / "checkpoints"
    assert [folder.name for folder in checkpoints.folders(root)] == ["checkpoint-3"]


@contextmanager
def memory_for(rows: int, during: str = "forward") -> Iterator[list[int]]:
    """A device that can take so many rows at once; yields the sizes that were tried."""
    tried: list[int] = []
    model = transformers.BertForSequenceClassification
    real = model.forward

    def forward(self: Any, input_ids: Any, **options: Any) -> Any:
        output = real(self, input_ids=input_ids, **options)
        if self.training:
            tried.append(len(input_ids))
            if len(input_ids) > rows and during == "forward":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB")
            if len(input_ids) > rows:
                output["logits"].register_hook(fail)
        return output

    def fail(gradient: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "forward", forward)
        yield tried


@pytest.mark.parametrize("during", ["forward", "backward"])
def test_a_step_that_does_not_fit_is_divided_and_learns_the_same(
    make: Make, during: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_file(train(make(run="whole")).path / "model.safetensors")
    capsys.readouterr()
    with memory_for(3, during) as tried:
        divided = train(make(run="divided"))
    assert tried == [8, 4, 2, 2, 2, 2] + [2, 2, 2, 2] * 5
    said = [line for line in capsys.readouterr().err.splitlines() if "out of memory" in line]
    assert said == [
        "out of memory with micro-batches of 8 examples: continuing with 4, at the same batch size",
        "out of memory with micro-batches of 4 examples: continuing with 2, at the same batch size",
    ]
    for name, tensor in load_file(divided.path / "model.safetensors").items():
        torch.testing.assert_close(tensor, whole[name], atol=2e-6, rtol=1e-4)


def test_one_that_fails_while_accumulating_repeats_the_whole_step(make: Make) -> None:
    """The second of two micro_batches fails: what the first one added to the gradients is not counted twice."""
    accumulate = {"per_device_train_batch_size": 4, "optim": "sgd", "learning_rate": 0.1, "max_steps": 1}
    whole = load_file(train(make(accumulate, run="whole")).path / "model.safetensors")
    calls, real = iter(range(1, 100)), SafeTrainer._in_micro_batches

    def second_fails(self: SafeTrainer, *args: Any) -> Any:
        loss = real(self, *args)
        if next(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB")
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SafeTrainer, "_in_micro_batches", second_fails)
        divided = train(make(accumulate, run="divided"))
    for name, tensor in load_file(divided.path / "model.safetensors").items():
        torch.testing.assert_close(tensor, whole[name], atol=1e-6, rtol=1e-5)


def test_a_row_that_does_not_fit_alone_is_one_message(make: Make) -> None:
    with memory_for(0) as tried, pytest.raises(RunError) as e:
        train(make())
    assert tried == [8, 4, 2, 1]
    text = "training: one example does not fit in memory; lower task.max_length or use a smaller model"
    assert str(e.value) == text


def test_a_bug_is_not_taken_for_a_lack_of_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(SafeTrainer, "_in_micro_batches", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(make())


def test_the_size_that_fits_is_known_after_a_resume(make: Make, tmp_path: Path) -> None:
    with memory_for(3), pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "rotate", stop)
        with pytest.raises(KeyboardInterrupt):
            train(make())
    with memory_for(3) as tried:
        train(make())
    assert tried == [2, 2, 2, 2] * 3


def stop(*args: Any) -> None:
    raise KeyboardInterrupt


def test_a_disk_that_fills_up_costs_nothing_that_was_saved(make: Make, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: optimizer.pt is cut off within its second save."""
    recipe, real, undisturbed = make(), checkpoints.finalize, train(make(run="undisturbed"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def then_full(folder: Path, facts: Any) -> None:
        real(folder, facts)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))

    try:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(RunError) as e:
            patch.setattr(checkpoints, "finalize", then_full)
            train(recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    root = recipe.output_dir / "checkpoints"
    assert str(e.value).startswith(f"{root / 'checkpoint-6'}: the checkpoint cannot be written: ")
    good = f"the last good checkpoint is {root / 'checkpoint-3'}"
    assert str(e.value).endswith(f"; {good}, free space or repair the folder and run the same command again")
    assert [folder.name for folder in checkpoints.folders(root)] == ["checkpoint-3"]
    resumed = train(recipe)
    assert (resumed.path / "model.safetensors").read_bytes() == (undisturbed.path / "model.safetensors").read_bytes()


def test_room_is_looked_for_before_anything_is_written(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = "a checkpoint needs 0.4 MB, 0.1 MB are free on this disk"
    monkeypatch.setattr(checkpoints, "disk_space_error", lambda root, size: lacks)
    recipe = make()
    with pytest.raises(RunError) as e:
        train(recipe)
    root = recipe.output_dir / "checkpoints"
    assert str(e.value) == (
        f"{root}: {lacks}; there is no checkpoint yet, free space and run the same command again to continue"
    )
    assert list(root.iterdir()) == []


def test_an_output_folder_that_cannot_be_written_is_one_message(make: Make) -> None:
    with pytest.raises(RunError) as e:
        train(make({"output_dir": "/proc/run"}))
    assert str(e.value) == "/proc/run: cannot be written: No such file or directory; choose another --output-dir"


def test_a_batch_has_one_size(make: Make) -> None:
    with pytest.raises(RecipeError) as e:
        make({"gradient_accumulation_steps": 2})
    assert str(e.value) == (
        "recipe: training.gradient_accumulation_steps: is computed from batch_size, the number of processes "
        "and per_device_train_batch_size; remove it"
    )
