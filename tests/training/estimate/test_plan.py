"""The plan of a training: the dry run, its report, and that it leaves no files."""

import json
import re
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from conftest import Tiny, hasten

from hf_tasks.core.errors import RunError
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.training import check as training_check
from hf_tasks.training import train
from hf_tasks.training.check import check, step_seconds, trained_share
from hf_tasks.training.estimate import dry_run
from hf_tasks.training.estimate.dry_run import Step, evaluated

Make = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "cache"))
    hasten(monkeypatch)
    return tmp_path / "cache"


@pytest.fixture
def make(tiny: Tiny, tmp_path: Path) -> Make:
    """40 rows of 4 to 14 tokens, of which 10 validate; 2 epochs of 4 steps."""
    texts = [f"{'good film ' * (i % 5 + 1)}{'abcdefgh'[i % 8]} {'pqrstu'[i % 6]}" for i in range(40)]
    rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
    for name, some in (("train", rows[:30]), ("dev", rows[30:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")

    def build(training: dict[str, Any] | None = None, **sections: Any) -> Recipe:
        values = {"num_train_epochs": 2, "batch_size": 8, "bf16": False, "output_dir": str(tmp_path / "runs" / "run")}
        recipe = {
            "name": "tiny",
            "task": {"name": "text-classification"},
            "data": {"train": str(tmp_path / "train.jsonl"), "validation": str(tmp_path / "dev.jsonl")},
            "model": {"name_or_path": str(tiny("bert"))},
            "training": values | (training or {}),
        }
        return from_dict(recipe | sections)

    return build


def lines_of(recipe: Recipe) -> dict[str, str]:
    """Of each line of the plan, its name and what it says."""
    lines = check(recipe)
    begin = next(i for i, line in enumerate(lines) if line.startswith("  plan "))
    return {line[:13].strip() or "after": line[13:] for line in lines[begin:]}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_check_says_and_that_nothing_stays(make: Make, tmp_path: Path) -> None:
    before = files(tmp_path)
    found = lines_of(make())
    assert files(tmp_path) == before
    assert list(found) == ["plan", "memory", "disk", "largest", "median", "checkpoint", "time", "after"]
    assert re.fullmatch(r"8 steps \(4 per epoch, 8 rows each\), \d+\.\d% padding", found["plan"])
    number, size, long = r"[\d.e+-]+", r"[\d.]+ [MG]B|\d+ bytes", r"(\d+ h )?(\d+ min )?(\d+ s)?"
    assert re.fullmatch(rf"({size}) at the peak, of ({size})", found["memory"])
    assert re.fullmatch(
        rf"2 checkpoints of ({size}) at most, and ({size}) of the run; ({size}) are free", found["disk"]
    )
    step = rf"8 rows, \d+ padded tokens: forward {number} s, backward {number} s, optimizer {number} s"
    assert re.fullmatch(step, found["largest"]) and re.fullmatch(step, found["median"])
    assert re.fullmatch(rf"written in {number} s, loaded in {number} s", found["checkpoint"])
    assert re.fullmatch(rf"{long} of training: steps {long}, 2 evaluations {long}, 2 checkpoints {long}", found["time"])
    assert re.fullmatch(rf"then {long} to measure the trained model", found["after"])


def test_the_plan_of_a_sample_is_that_of_all_examples(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines_of(make())
    monkeypatch.setattr(training_check, "MOST_ENCODED", 9)
    lines, found = check(make(), dry_run=False), lines_of(make())
    assert lines[1:3] == ["  train           30 examples", "  validation      10 examples"]
    assert any(line.startswith("  lengths    95 % of 9 sampled texts have at most ") for line in lines)
    assert list(found) == list(whole)
    assert found["plan"].startswith("8 steps (4 per epoch, 8 rows each), ")
    assert found["disk"].partition("; ")[0] == whole["disk"].partition("; ")[0]


class Memory:
    """A device that can take so many rows at once in training."""

    def __init__(self, rows: int) -> None:
        self.rows, self.real = rows, transformers.BertForSequenceClassification.forward

    def forward(self, model: Any, input_ids: Any, **options: Any) -> Any:
        if model.training and len(input_ids) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB")
        return self.real(model, input_ids=input_ids, **options)


@pytest.fixture
def memory_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    def limit(rows: int) -> None:
        memory = Memory(rows)
        forward = lambda self, input_ids, **options: memory.forward(self, input_ids, **options)  # noqa: E731
        monkeypatch.setattr(transformers.BertForSequenceClassification, "forward", forward)

    yield limit


def test_too_little_memory_is_found_with_training_s_own_message(
    make: Make, memory_for: Callable[[int], None], tmp_path: Path
) -> None:
    before = files(tmp_path)
    memory_for(0)
    with pytest.raises(RunError) as found:
        check(make())
    assert files(tmp_path) == before
    with pytest.raises(RunError) as later:
        train(make())
    message = "training: one example does not fit in memory; lower task.max_length or use a smaller model"
    assert str(found.value) == str(later.value) == message


def test_a_batch_that_is_divided_says_so(
    make: Make, memory_for: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    memory_for(5)
    assert lines_of(make())["plan"].startswith("8 steps (4 per epoch, 8 rows each)")
    said = "out of memory with micro-batches of 8 examples: continuing with 4, at the same batch size\n"
    assert said in capsys.readouterr().err


def test_a_disk_that_is_too_small(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 600_000, 600_000))
    with pytest.raises(RunError) as e:
        check(make())
    assert re.fullmatch(
        re.escape(str(tmp_path))
        + r": 2 checkpoints of ([\d.]+ MB|\d+ bytes) at most, and ([\d.]+ MB|\d+ bytes) of the run do not fit on this "
        r"disk, 0\.6 MB are free; free space, choose another --output-dir, or lower training\.save_total_limit",
        str(e.value),
    )


def test_states_of_a_frozen_encoder_are_counted_and_not_kept(make: Make, store: Path) -> None:
    recipe = make(method={"name": "frozen"})
    before = lines_of(recipe)["cache"]
    assert not list(store.rglob("*.f32"))
    train(recipe)
    size = sum(path.stat().st_size for path in store.rglob("*.f32"))
    assert size == 40 * 32 * 4  # the first position of every row
    assert re.fullmatch(rf"{size} bytes; [\d hmins]+ to compute them", before)
    assert lines_of(recipe)["cache"] == f"{size} bytes; 0 s to compute them"


def step(padded_tokens: int, total: float, backward: float = 0.0) -> Step:
    return Step(padded_tokens, total - backward, backward, 0.0, total)


def test_the_time_of_steps_lies_between_those_that_were_tried() -> None:
    tried = [step(100, 1.0), step(300, 2.0), step(300, 4.0)]
    padded_tokens = np.array([50, 100, 200, 300])
    assert step_seconds(tried, padded_tokens, np.ones(4)) == 0.5 + 1.0 + 2.0 + 3.0
    assert step_seconds(tried[:1], np.array([100, 50]), np.ones(2)) == 1.5  # one alone: in proportion


def test_a_step_that_trains_a_share_of_the_blocks_goes_a_share_of_the_way_back() -> None:
    tried = [step(100, 3.0, backward=2.0)]
    assert step_seconds(tried, np.array([100, 100, 100]), np.array([0.0, 0.5, 1.0])) == 1.0 + 2.0 + 3.0


def test_the_share_that_gradual_unfreezing_trains(make: Make, tiny: Tiny) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tiny("bert"))
    steps: Any = SimpleNamespace(total=8, steps_per_epoch=4)
    ready: Any = SimpleNamespace(model=model, recipe=make(method={"name": "gradual-unfreezing", "steps_per_block": 2}))
    assert trained_share(ready, steps).tolist() == [0, 0, 0.5, 0.5, 1, 1, 1, 1]
    ready.recipe = make()
    assert trained_share(ready, steps).tolist() == [1] * 8


def test_texts_are_taken_to_become_as_long_as_the_true_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    features = {"length": [10, 30], "target_length": [20, 50]}
    decoding = SimpleNamespace(max_new_tokens=40)
    trainer: Any = SimpleNamespace(
        validation=SimpleNamespace(features=features), recipe=SimpleNamespace(decoding=decoding)
    )
    monkeypatch.setattr(dry_run, "_evaluation", lambda trainer, tokens=None: 2.0 + 0.5 * (tokens or 0))
    assert evaluated(trainer) == (2.0 + 0.5 * 40) / 40  # 40 tokens, the most that are written, for 40 tokens read
    decoding.max_new_tokens = 100
    assert evaluated(trainer) == (2.0 + 0.5 * 50) / 40
