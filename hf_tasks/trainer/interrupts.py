"""Orderly stops: a signal asks, training answers at the end of a step, with everything saved."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """Training was asked to stop, and has saved what it had."""

    def __init__(self, signum: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = 128 + signum


class Interrupts:
    """Within this context, SIGTERM (a scheduler) and SIGINT (Ctrl-C) are only noted; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received = 0
        """The signal that asked to stop, or 0."""
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {signum: signal.signal(signum, self._note) for signum in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for signum, handler in self._former.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.received and os.environ.get("RANK", "0") == "0":
            text = (
                f"\n{signal.Signals(signum).name}: stopping after this step, with a checkpoint; Ctrl-C stops at once\n"
            )
            os.write(2, text.encode())
        self.received = signum
