"""Graceful shutdown: after a signal, training finishes its step and saves; all other work stops at once.

SIGTERM comes from a scheduler, SIGHUP from a terminal or connection that closes, SIGINT from Ctrl-C. A signal that was
set to be ignored (`nohup`) stays ignored.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
ORPHAN_SECONDS = 5.0
"""Seconds that a process may continue after its parent has ended, to finish a step and save."""

Handler = Callable[[int, FrameType | None], None]


class Interrupted(BaseException):
    """A signal has stopped the work; a BaseException, so that no `except Exception` catches it."""

    def __init__(self, signum: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = 128 + signum


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """Context manager in which SIGTERM and SIGHUP raise Interrupted at once, as Ctrl-C raises KeyboardInterrupt."""

    def stop(signum: int, frame: FrameType | None) -> None:
        for other in (signal.SIGTERM, signal.SIGHUP):  # a second one must not interrupt the cleanup
            signal.signal(other, signal.SIG_IGN)
        name = signal.Signals(signum).name
        raise Interrupted(signum, f"interrupted by {name}; run the same command again to continue")

    former = _handled((signal.SIGTERM, signal.SIGHUP), stop)
    try:
        yield
    finally:
        _restore(former)


class Interrupts:
    """Context manager that records signals instead of stopping; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received = 0
        """The number of the received signal, or 0."""
        self._former: dict[int, Any] = {}
        self._raising = False

    def __enter__(self) -> Self:
        self._former = _handled(SIGNALS, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _restore(self._former)

    @contextmanager
    def raise_at_once(self) -> Iterator[None]:
        """Context manager in which the first signal raises Interrupted at once, for long work that can be repeated."""
        if self.received:
            raise Interrupted(self.received, "interrupted")
        self._raising = True
        try:
            yield
        finally:
            self._raising = False

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        first, self.received = not self.received, signum
        if first and self._raising:
            raise Interrupted(signum, "interrupted")
        if first and os.environ.get("RANK", "0") == "0":
            name = signal.Signals(signum).name
            os.write(2, f"\n{name}: stopping after this step, with a checkpoint; Ctrl-C stops at once\n".encode())


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Context manager that delays signals until its end."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def exit_with_parent(parent: int) -> None:
    """Stop this process when its parent ends, even by kill -9: first with SIGTERM, after ORPHAN_SECONDS by force."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_SECONDS)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, name="exit_with_parent", daemon=True).start()


def _handled(signals: tuple[signal.Signals, ...], handler: Handler) -> dict[int, Any]:
    """Install a handler for the signals that are not ignored; return the former ones ({} outside the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    active = [signum for signum in signals if signal.getsignal(signum) is not signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in active}


def _restore(former: dict[int, Any]) -> None:
    for signum, handler in former.items():
        signal.signal(signum, handler)
