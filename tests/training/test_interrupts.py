"""Signals are noted, and told by the exit code."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hf_tasks import cli
from hf_tasks.core.errors import RunError
from hf_tasks.core.signals import Interrupted, Interrupts, stop_on_signal


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


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_outside_of_training_a_signal_stops_at_once_and_a_second_one_is_ignored(signum: int) -> None:
    former = signal.getsignal(signum)
    with pytest.raises(Interrupted) as e, stop_on_signal():
        try:
            os.kill(os.getpid(), signum)
        finally:
            os.kill(os.getpid(), signum)
    text = f"interrupted by {signal.Signals(signum).name}; run the same command again to continue"
    assert (str(e.value), e.value.exit_code) == (text, 128 + signum)
    assert signal.getsignal(signum) is former


def test_an_ignored_signal_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stop_on_signal(), Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
        assert interrupts.received == 0
    finally:
        signal.signal(signal.SIGHUP, former)


def test_what_can_be_repeated_ends_at_once() -> None:
    with pytest.raises(Interrupted), Interrupts() as interrupts, interrupts.raise_at_once():
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted), interrupts.raise_at_once():
        pytest.fail("the signal was there before")


def test_a_process_ends_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed as nothing could prevent; its child is in a sleep of a minute."""
    child = "import os, time; from hf_tasks.core.signals import exit_with_parent as e; e(os.getppid()); time.sleep(60)"
    parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); print(p.pid); p.wait()"
    with subprocess.Popen([sys.executable, "-uc", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        time.sleep(0.5)
        process.kill()
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
