"""What is counted before a training is what the training then does."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten
from transformers import TrainingArguments

from hf_tasks.recipe import from_dict
from hf_tasks.training import checkpoints, train
from hf_tasks.training.batches import Batches, BatchSharding
from hf_tasks.training.estimate.steps import Steps
from hf_tasks.training.safe_trainer import SafeTrainer


def steps(
    lengths: Sequence[int],
    sharding: BatchSharding,
    strategy: str = "sequential",
    limit: int | None = 1,
    **training: Any,
) -> Steps:
    args = TrainingArguments("x", use_cpu=True, **{"num_train_epochs": 2, "metric_for_best_model": "score"} | training)
    return Steps(args, Batches(lengths, sharding, strategy, seed=42), limit)


def test_places_are_counted_piece_by_piece() -> None:
    found = steps([1, 2, 3, 4, 9], BatchSharding(4, 2), num_train_epochs=1)
    assert (found.total, found.steps_per_epoch) == (2, 2)
    assert found.padded_tokens.tolist() == [2 * 2 + 2 * 4, 9]  # pieces of 2 rows each, then the row that is left
    assert found.padding == 1 - 19 / 21
    assert found.counts() == "2 steps (2 per epoch, 4 rows each), 9.5% padding"


def test_rows_that_fill_up_a_process_count_as_places() -> None:
    found = steps([5, 2, 3], BatchSharding(2, 2, processes=2), num_train_epochs=1)
    assert found.padded_tokens.tolist() == [
        5 + 2,
        3 + 5,
    ]  # the second process has no row of the second step and takes row 0


@pytest.mark.parametrize(("training", "total"), [({"num_train_epochs": 2.5}, 8), ({"max_steps": 4}, 4)])
def test_steps_end_in_the_middle_of_an_epoch(training: dict[str, Any], total: int) -> None:
    found = steps(range(1, 7), BatchSharding(2, 2), "random", **training)
    assert found.total == total == len(list(found.rows()))
    assert [found.rows_of(step) for step in range(total)] == list(found.rows())


@pytest.mark.parametrize(
    ("training", "evaluations_and_saves", "kept"),
    [
        ({"eval_strategy": "epoch", "save_strategy": "epoch"}, (2, 2), 2),
        ({"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}, (5, 5), 4),
        ({"eval_strategy": "no", "save_strategy": "steps", "save_steps": 2}, (0, 5), 3),
        ({"eval_strategy": "steps", "eval_steps": 0.5, "save_strategy": "no"}, (2, 0), 0),
        ({"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "best"}, (3, 3), 3),
    ],
)
def test_evaluations_and_checkpoints(
    training: dict[str, Any], evaluations_and_saves: tuple[int, int], kept: int
) -> None:
    found = steps(range(1, 10), BatchSharding(2, 2), num_train_epochs=1.8, **training)
    assert (found.total, found.evaluations_and_saves, found.checkpoints) == (9, evaluations_and_saves, kept)


def test_without_a_limit_every_checkpoint_stays() -> None:
    saving = {"save_strategy": "steps", "save_steps": 1}
    assert steps(range(1, 7), BatchSharding(2, 2), limit=None, **saving).checkpoints == 6


def test_a_training_does_what_was_counted(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'good film ' * (i % 7 + 1)}{'abcdefg'[i % 7]} {'stuvw'[i % 5]}" for i in range(30)]
    rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
    for name, some in (("rows", rows[:22]), ("dev", rows[22:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    there, counted, real, made = [0], list[Steps](), SafeTrainer.finalize, Steps.of

    def finalize(self: SafeTrainer, folder: Path, done: bool, temporary: bool) -> None:
        if not temporary:  # one before a long evaluation is not counted
            there.append(len(checkpoints.folders(folder.parent)))
        real(self, folder, done, temporary)

    hasten(monkeypatch)
    monkeypatch.setattr(SafeTrainer, "finalize", finalize)
    monkeypatch.setattr(Steps, "of", lambda *a: counted.append(made(*a)) or counted[-1])
    training = {"num_train_epochs": 2, "batch_size": 4, "per_device_train_batch_size": 3, "eval_strategy": "steps"}
    training |= {"eval_steps": 2, "output_dir": str(tmp_path / "run")}
    recipe = {
        "name": "tiny",
        "task": {"name": "text-classification"},
        "data": {"train": str(tmp_path / "rows.jsonl"), "validation": str(tmp_path / "dev.jsonl")},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": training,
    }
    run = train(from_dict(recipe))
    (plan,), facts = counted, run.results["training"]
    assert (plan.total, round(plan.padding, 4)) == (facts["steps"], facts["padding"]) == (12, facts["padding"])
    log = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert plan.evaluations_and_saves == (sum("eval_score" in line for line in log), len(there) - 1) == (6, 6)
    assert max(there) <= plan.checkpoints == 4
