"""What training prints, line by line: on a terminal, and where nobody looks."""

import io
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hf_tasks.core.terminal import seconds, short
from hf_tasks.training import callbacks
from hf_tasks.training.callbacks import Progress


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: now.seconds)
    yield now


def run(screen: Screen, monkeypatch: pytest.MonkeyPatch, clock: Any, first: int = 0, evaluated: bool = True) -> str:
    """Two epochs of 3 steps, 8 rows and 2 seconds each, from step `first`; what is on the screen then."""
    monkeypatch.setattr(sys, "stderr", screen)
    strategy = "epoch" if evaluated else "no"
    args = SimpleNamespace(eval_strategy=strategy, train_batch_size=4, gradient_accumulation_steps=2, world_size=1)
    state = SimpleNamespace(global_step=first, max_steps=6, is_world_process_zero=True, log_history=[], epoch=0.0)
    watch = Progress()
    watch.on_train_begin(args, state, None)  # type: ignore[arg-type]
    for step in range(first + 1, 7):
        clock.seconds += 2
        state.global_step, state.epoch = step, step / 3
        watch.on_step_end(args, state, None)  # type: ignore[arg-type]
        state.log_history.append({"loss": 1 / step, "epoch": state.epoch})
        watch.on_log(args, state, None, state.log_history[-1])  # type: ignore[arg-type]
        if step % 3 == 0:
            watch.on_epoch_end(args, state, None)  # type: ignore[arg-type]
            metrics = {"eval_accuracy": 0.5 + step / 20, "eval_n": 24, "eval_loss": 0.25, "eval_score": 0.9}
            metrics |= {"eval_runtime": 1.5, "eval_samples_per_second": 16.0, "epoch": state.epoch}
            if evaluated:
                watch.on_evaluate(args, state, None, metrics)  # type: ignore[arg-type]
    watch.on_train_end(args, state, None)  # type: ignore[arg-type]
    return screen.getvalue()


def test_a_line_an_evaluation_in_a_log_file(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    assert run(Screen(False), monkeypatch, clock) == (
        "epoch 1: training loss 0.3333, validation accuracy 0.6500, loss 0.2500, 4 rows/s (6 s left)\n"
        "epoch 2: training loss 0.1667, validation accuracy 0.8000, loss 0.2500, 4 rows/s (0 s left)\n"
    )


def test_a_line_an_epoch_where_nothing_is_evaluated(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    assert run(Screen(False), monkeypatch, clock, evaluated=False) == (
        "epoch 1: training loss 0.3333, 4 rows/s (6 s left)\nepoch 2: training loss 0.1667, 4 rows/s (0 s left)\n"
    )


def test_a_resumed_training_counts_its_own_steps_alone(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    text = run(Screen(False), monkeypatch, clock, first=2, evaluated=False)
    assert text.splitlines()[0] == "epoch 1: training loss 0.3333, 4 rows/s (6 s left)"


def test_a_bar_on_a_terminal_with_loss_speed_and_time_left(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    frames = run(Screen(True), monkeypatch, clock).split("\r")
    assert frames[1].startswith("Training:   0%|") and " 0 of 6 steps, 00:00 so far, ? left" in frames[1]
    last = [frame for frame in frames if "loss" in frame and "Training" in frame][-1]
    assert last.rstrip().endswith(" left, epoch 2.0, loss 0.1667, 4 rows/s")
    assert "100%" in last and " 6 of 6 steps, " in last
    lines = [line for frame in frames for line in frame.splitlines() if line.startswith("epoch ")]
    assert lines == [
        "epoch 1: training loss 0.3333, validation accuracy 0.6500, loss 0.2500, 4 rows/s (6 s left)",
        "epoch 2: training loss 0.1667, validation accuracy 0.8000, loss 0.2500, 4 rows/s (0 s left)",
    ]


def test_other_processes_are_silent(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    screen = Screen(True)
    monkeypatch.setattr(sys, "stderr", screen)
    state = SimpleNamespace(global_step=3, max_steps=6, is_world_process_zero=False, log_history=[], epoch=1.0)
    watch, args = Progress(), SimpleNamespace(eval_strategy="no")
    watch.on_train_begin(args, state, None)  # type: ignore[arg-type]
    watch.on_epoch_end(args, state, None)  # type: ignore[arg-type]
    watch.on_train_end(args, state, None)  # type: ignore[arg-type]
    assert screen.getvalue() == ""


@pytest.mark.parametrize(("value", "text"), [(7.6, "8 s"), (125, "2 min 5 s"), (3840, "1 h 4 min")])
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(("epoch", "text"), [(0.0, "0"), (0.25, "0.25"), (1.0, "1"), (12.5, "12.5"), (100.0, "100")])
def test_epochs(epoch: float, text: str) -> None:
    assert short(epoch) == text
