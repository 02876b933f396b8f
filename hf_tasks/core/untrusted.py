"""Reading small files that a stranger may have written: nothing in them grows, nests without end, or waits.

Whatever is wrong is a ValueError of one line, or an OSError.
"""

import contextlib
import errno
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hf_tasks.core.errors import RunError, UserError

LARGEST = 64 << 20
"""Bytes of a JSON file or a card."""
LARGEST_YAML = 4 << 20
"""Characters of a YAML document, which is read at about 100,000 a second."""


class FlatLoader(yaml.SafeLoader):
    """YAML without aliases: ten lines of them stand for a billion values, or for a value that contains itself."""

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"alias *{event.anchor}", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def read_text(path: Path, most: int = LARGEST) -> str:
    """The UTF-8 text of a regular file of at most so many bytes. Raises OSError or ValueError."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe or a device would never end
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"has more than {most:,} bytes")
    return content.decode("utf-8")


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises OSError or ValueError."""
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON document. Raises ValueError, also for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def parse_yaml(text: str | bytes) -> Any:
    """The value of a YAML document of plain values without aliases. Raises ValueError."""
    if len(text) > LARGEST_YAML:
        raise ValueError(f"has more than {LARGEST_YAML:,} characters of YAML")
    try:
        return yaml.load(text, FlatLoader)  # noqa: S506  (a SafeLoader)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except yaml.YAMLError as e:
        raise ValueError(f"not valid YAML: {getattr(e, 'problem', None) or str(e).splitlines()[0]}") from None


@contextlib.contextmanager
def malformed_as_run_error(path: Path) -> Iterator[None]:
    """What goes wrong with the values of a file that hf_tasks should have written, as a RunError of one line."""
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as e:
        reason = (str(e).strip() or type(e).__name__).splitlines()[0][:200]
        raise RunError(f"{path}: does not hold what hf_tasks writes there ({reason}); train the run again") from e
