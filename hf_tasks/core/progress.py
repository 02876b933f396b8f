"""Progress of long work: a bar on a terminal; elsewhere, as in a log file, a line from time to time."""

import math
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from hf_tasks.core import distributed
from hf_tasks.core.terminal import say, seconds

FIRST, EVERY = 2.0, 30.0
"""Seconds until the first line, and between lines."""


class Bar(Protocol):
    def update(self, n: int) -> object: ...


def progress(total: int, description: str | None, unit: str, *, delay: float = 0.0) -> AbstractContextManager[Bar]:
    """Return a context manager that displays how much of `total` is done; nothing without a description.

    `delay`: seconds before a bar appears. Only the main process displays anything.
    """
    shown = description is not None and distributed.is_main()
    if not shown or not sys.stderr.isatty():
        return _Lines(total, description or "", unit, FIRST if shown else math.inf)
    from tqdm import tqdm

    bar: AbstractContextManager[Bar] = tqdm(total=total, desc=description, unit=f" {unit}", leave=False, delay=delay)
    return bar


class _Lines:
    def __init__(self, total: int, description: str, unit: str, first: float) -> None:
        self.total, self.description, self.unit = total, description, unit
        self.done, self.started = 0, time.monotonic()
        self.next = self.started + first

    def update(self, n: int) -> None:
        self.done += n
        now = time.monotonic()
        if now < self.next or self.done >= self.total:
            return
        self.next, passed = now + EVERY, now - self.started
        left = seconds(passed * (self.total - self.done) / self.done) if self.done else "unknown"
        say(f"{self.description}: {self.done:,} of {self.total:,} {self.unit}, {seconds(passed)} so far, {left} left")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass
