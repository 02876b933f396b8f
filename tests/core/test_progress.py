"""Progress: lines in a log, a bar on a terminal, nothing on other processes."""

import sys
from typing import Any

import pytest

from hf_tasks.core import distributed
from hf_tasks.core import progress as module
from hf_tasks.core.progress import progress


def work(monkeypatch: pytest.MonkeyPatch, each: float, **options: Any) -> None:
    """Ten units of `each` seconds."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress(10, options.pop("description", "Evaluating test"), "batches", **options) as bar:
        for _ in range(10):
            now[0] += each
            bar.update(1)


def test_a_log_gets_a_line_after_two_seconds_and_every_thirty(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    work(monkeypatch, 12.0)
    assert capsys.readouterr().err.splitlines() == [
        "Evaluating test: 1 of 10 batches, 12 s so far, 1 min 48 s left",
        "Evaluating test: 4 of 10 batches, 48 s so far, 1 min 12 s left",
        "Evaluating test: 7 of 10 batches, 1 min 24 s so far, 36 s left",
    ]
    work(monkeypatch, 0.19)
    assert capsys.readouterr().err == ""


def test_nothing_without_a_description_or_on_other_processes(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    work(monkeypatch, 12.0, description=None)
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    work(monkeypatch, 12.0)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress(10, "Parsing", "rows") as bar:
        bar.update(5)
    assert "Parsing:   0%|" in capsys.readouterr().err
