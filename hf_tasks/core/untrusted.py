"""Read small untrusted files with limits on size and nesting; problems raise OSError or a ValueError of one line."""

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
"""Maximum size in bytes of a JSON file or a card."""
LARGEST_YAML = 4 << 20
"""Maximum number of characters of a YAML document; PyYAML reads about 100,000 per second."""


class FlatLoader(yaml.SafeLoader):
    """YAML loader that refuses aliases: ten lines of them can expand to a billion values or to a cyclic value."""

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"alias *{event.anchor}", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def read_text(path: Path, most: int = LARGEST) -> str:
    """Return the UTF-8 text of a regular file of at most `most` bytes. Raises OSError or ValueError."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe or a device would never end
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"has more than {most:,} bytes")
    return content.decode("utf-8")


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises OSError or ValueError."""
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON document. Raises ValueError, also if it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def parse_yaml(text: str | bytes) -> Any:
    """Parse a YAML document of plain values without aliases. Raises ValueError."""
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
    """Context manager that turns errors about a file's values into a RunError: hf_tasks did not write this file."""
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as e:
        reason = (str(e).strip() or type(e).__name__).splitlines()[0][:200]
        raise RunError(f"{path}: its content is not what hf_tasks writes ({reason}); train the run again") from e
