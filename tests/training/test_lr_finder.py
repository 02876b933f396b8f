"""The range test of learning rates: the rates that are set, where it ends, what it suggests."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Tiny
from transformers import TrainerControl, TrainerState

from hf_tasks.core.errors import RunError
from hf_tasks.training import lr_finder
from hf_tasks.training.lr_finder import Curve, RangeTest, find, lines

NOTHING: Any = (None, TrainerState(), TrainerControl())


@pytest.fixture
def recipe(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": ("good film", "bad book")[i % 2] + f" {i}", "label": "ab"[i % 2]} for i in range(16)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: films\ntask: {name: text-classification}\ndata: {train: rows.jsonl, validation_size: 0.25}\n"
        f"model: {{name_or_path: {tiny('bert')}}}\nmethod: {{name: full, layer_decay: 0.5}}\n"
        "training: {batch_size: 4}\nearly_stopping: {early_stopping_patience: 1}\n"
    )
    return path


def step(test: RangeTest, optimizer: Any, loss: float) -> None:
    test.on_step_begin(*NOTHING, optimizer=optimizer)
    test.on_log(*NOTHING, logs={"loss": loss})


def test_rates_grow_by_a_factor_and_groups_keep_their_shares() -> None:
    test, optimizer = RangeTest(1e-4, 1e-1, 4), SimpleNamespace(param_groups=[{"lr": 2e-5}, {"lr": 5e-6}])
    seen = []
    for _ in range(3):
        step(test, optimizer, 1.0)
        seen.append([group["lr"] for group in optimizer.param_groups])
    assert np.allclose(seen, [[1e-4, 2.5e-5], [1e-3, 2.5e-4], [1e-2, 2.5e-3]])
    with pytest.raises(lr_finder._Done):
        step(test, optimizer, 1.0)
    assert np.allclose(test.curve.rates, [1e-4, 1e-3, 1e-2, 1e-1])


def test_it_ends_where_the_loss_is_four_times_the_lowest() -> None:
    test, optimizer = RangeTest(1e-6, 1.0, 100), SimpleNamespace(param_groups=[{"lr": 1.0}])
    with pytest.raises(lr_finder._Done):
        for i in range(100):
            step(test, optimizer, 1.0 if i < 50 else 50.0)
    assert len(test.losses) == 51


def test_a_loss_is_smoothed_on_both_sides() -> None:
    assert np.allclose(Curve([1e-4] * 9, [2.0] * 9).smooth, 2.0)
    losses = [0.0] * 4 + [1.0] + [0.0] * 4
    weights = [math.exp(-0.5 * (i / 3) ** 2) for i in range(-4, 5)]
    assert Curve([1e-4] * 9, losses).smooth[4] == pytest.approx(1 / sum(weights))


def test_a_tenth_of_the_lowest_is_suggested_and_the_steepest_lies_before_it() -> None:
    rates = list(np.logspace(-6, 0, 61))
    curve = Curve(rates, [2 - math.exp(-((math.log10(rate) + 2) ** 2)) for rate in rates])
    assert curve.lowest == pytest.approx(1e-2)
    assert curve.suggested == 1e-3
    assert 1e-3 < curve.steepest < 1e-2
    told = list(lines(curve, "recipe.yaml"))
    assert told[0] == "     rate  loss (smoothed)"
    assert len(told) == 15
    assert told[1].startswith("  1.0e-06  2.0000")
    assert told[-1] == "  hf-tasks train recipe.yaml --set training.learning_rate=1.0e-03"
    changed = list(lines(curve, "my recipe.yaml", ["method.name=frozen", "task.metrics=[f1, ece]"]))
    rate = f"--set training.learning_rate={curve.suggested:.1e}"
    assert (
        changed[-1]
        == f"  hf-tasks train 'my recipe.yaml' --set method.name=frozen --set 'task.metrics=[f1, ece]' {rate}"
    )


def test_a_curve_that_still_falls_at_its_end_says_so() -> None:
    falling = Curve(list(np.logspace(-6, 0, 61)), list(np.linspace(2, 1, 61)))
    assert list(lines(falling, "r.yaml"))[-2].startswith("the loss still falls at the end of the test")


def test_a_real_test_keeps_nothing(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lr_finder, "STEPS", 30)
    before = sorted(path.name for path in tmp_path.iterdir())
    curve = find(recipe)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert curve.rates[0] == 1e-6
    assert 10 <= len(curve.losses) == len(curve.rates) <= 30
    assert abs(curve.losses[0] - math.log(2)) < 0.1
    assert find(recipe).losses == curve.losses
    lr_finder.draw(curve, tmp_path / "curve.svg")
    assert "<svg" in (tmp_path / "curve.svg").read_text()


def test_a_picture_has_a_place() -> None:
    for path, message in (
        ("curve.pdf", "--output curve.pdf: the plot is a .png or .svg file; name one"),
        ("no/curve.png", "--output no/curve.png: there is no folder no; create it first"),
    ):
        with pytest.raises(RunError) as e:
            lr_finder.check_output(Path(path))
        assert str(e.value) == message
