"""Few-shot classification: its loss by hand, its decision, and labels that are new after the training."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny
from datasets import Dataset

import hf_tasks
from hf_tasks.core.errors import DataError, RunError
from hf_tasks.recipe import from_dict
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.tasks import EncodedSplit, FewShotClassification
from hf_tasks.tasks.sentence_similarity.losses import supervised_contrastive

TASK = FewShotClassification(
    name="few-shot-classification", examples={"10": ("a", "b"), "2": ("c",), "x": ("d",)}, metrics=("accuracy",)
)


def loss(rows: list[list[float]], labels: list[float], scale: float = 1.0) -> float:
    return float(supervised_contrastive(torch.tensor(rows)[:, None], torch.tensor(labels), scale))


def test_the_loss_by_hand() -> None:
    same = [[1.0, 0], [1, 0], [1, 0], [1, 0]]
    assert loss(same, [0, 0, 1, 1]) == pytest.approx(math.log(3))
    apart = [[1.0, 0], [1, 0], [0, 1], [0, 1]]
    assert loss(apart, [0, 0, 1, 1]) == pytest.approx(math.log(1 + 2 / math.e))
    assert loss(same, [0, 0, 1, 2]) == pytest.approx(math.log(3))  # rows without a partner do not count
    assert loss(same, [0, 1, 2, 3]) == 0


def test_two_draws_of_one_text_are_partners() -> None:
    rows = torch.tensor([[[1.0, 0], [1, 0]], [[0, 1], [0, 1]]])
    found = float(supervised_contrastive(rows, torch.tensor([0.0, 1.0]), 1.0))
    assert found == pytest.approx(math.log(1 + 2 / math.e))


@pytest.mark.parametrize(("compare_with", "label"), [("centroid", "x"), ("nearest", "10")])
def test_the_nearest_example_or_centroid_decides(compare_with: str, label: str) -> None:
    task = TASK.model_copy(update={"compare_with": compare_with})
    assert task.labels == ("2", "10", "x")
    known = {"a": [1.0, 0], "b": [-0.5, 1], "c": [0, -1], "d": [0.9, 0.5]}
    support = [np.array(known[one["text"]]) for one in task._support()]
    rows = Dataset.from_list([{"text": "new"}])
    split = EncodedSplit(rows, rows, support=support)
    (found,) = task.postprocessor().decode([np.array([1.0, 0.1])], split)
    assert found["label"] == label
    assert sum(found["probabilities"].values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("few")
    texts = {"film": ["a good film", "the slow movie", "a bad film"], "city": ["paris and rome", "london", "the city"]}
    rows = [{"text": text, "label": label} for label, several in texts.items() for text in several]
    for name in ("train", "validation"):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    recipe = from_dict(
        {
            "name": "few", "task": {"name": "few-shot-classification", "max_length": 16},
            "data": {name: str(folder / f"{name}.jsonl") for name in ("train", "validation")},
            "model": {"name_or_path": str(tiny("bert"))},
            "training": {"num_train_epochs": 20, "batch_size": 6, "per_device_train_batch_size": 4, "bf16": False,
                         "learning_rate": 1e-3, "eval_strategy": "no", "output_dir": str(folder / "run")},
        }
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StagedRun, "verify", lambda *_: None)
        return hf_tasks.train(recipe)


def test_a_run_learns_its_examples_and_loads_again(run: Any) -> None:
    assert run.metrics["validation"]["accuracy"] == 1
    loaded = hf_tasks.load_run(run.path)
    assert loaded.predict("the slow film")["label"] == "film"
    assert loaded.predict(["rome", "a movie"], top=1).to_frame()["label"].tolist() == ["city", "film"]
    assert "pipeline_tag: text-classification" in (run.path / "README.md").read_text()


def test_a_new_label_needs_examples_and_no_training(run: Any, tmp_path: Path) -> None:
    more = [{"text": "one two three", "label": "number"}, {"text": "three two one", "label": "number"}]
    assert run.with_examples(more).predict("two one three")["label"] == "number"
    assert run.predict("two one three")["label"] != "number"
    assert run.with_examples(more).evaluate(more)["accuracy"] == 1
    with pytest.raises(DataError, match='label "number" has no example in the training data'):
        run.evaluate(more)


def test_other_tasks_compare_with_nothing() -> None:
    recipe = from_dict(
        {"name": "x", "task": {"name": "fill-mask"}, "data": {"train": "t.txt"}, "model": {"name_or_path": "m"}}
    )
    with pytest.raises(RunError, match="fill-mask does not compare texts with examples"):
        hf_tasks.Run(Path("x"), recipe).with_examples([])
