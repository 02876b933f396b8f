"""The log of one training among several."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Context manager that appends the output on standard error, and the traceback of an error, to a file."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as log, contextlib.redirect_stderr(log):
        try:
            yield
        except Exception:
            traceback.print_exc(file=log)
            raise
