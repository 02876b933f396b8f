"""Signals are noted, and told by the exit code."""

import os
import signal
import threading
from typing import Any

import pytest

from hf_tasks import cli
from hf_tasks.errors import RunError
from hf_tasks.trainer.interrupts import Interrupted, Interrupts


def raising(error: BaseException) -> Any:
    def app(**options: Any) -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Interrupted(signal.SIGTERM, "stopped"), 143),
        (Interrupted(signal.SIGINT, "stopped"), 130),
        (KeyboardInterrupt(), 130),
        (RunError("stopped"), 2),
    ],
)
def test_the_exit_code_tells_why(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", raising(error))
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_only_the_process_that_has_a_problem_tells_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    mine, everyones = RunError("out of memory here"), RunError("the disk is full")
    mine.local = True
    for error in (mine, everyones):
        monkeypatch.setattr(cli, "app", raising(error))
        with pytest.raises(SystemExit):
            cli.main()
    assert capsys.readouterr().err == "error: out of memory here\n"


def test_a_signal_is_noted_and_the_former_handler_comes_back() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # a scheduler may send it to each process and to its launcher
        assert interrupts.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is former


def test_ctrl_c_after_sigterm_waits_for_the_checkpoint_too() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_in_a_thread_signals_are_left_as_they_are() -> None:
    seen: list[Any] = []

    def enter() -> None:
        with Interrupts() as interrupts:
            seen.append((interrupts.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(0, signal.getsignal(signal.SIGTERM))]
