"""Which runs were trained on this machine: the others are not trusted with templates, folders and code.

STATE/hf_tasks/trained_here.txt   a line a run: the SHA-256 of its recipe, its environment and its results

STATE is the folder that XDG_STATE_HOME names, or ~/.local/state. Nothing in a run can claim that it was trained here.
A run that was moved or copied is still known; one that was changed, or that came from elsewhere, is not.
"""

import hashlib
import os
import sys
from pathlib import Path

FILES = ("recipe.yaml", "environment.json", "results.json")
"""The files of a run that decide which template and which folder are read, and what a snippet says."""


def record(run: Path) -> None:
    """Note that the run in a directory was trained here; a message where that cannot be written."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="ascii") as lines:
            lines.write(f"{_digest(run)}\n")
    except OSError as e:
        print(f"{file}: cannot be written ({e.strerror}): the run counts as trained elsewhere", file=sys.stderr)


def is_trained_here(run: Path) -> bool:
    """Whether the run in a directory was trained on this machine, and has not been changed since."""
    try:
        return _digest(run) in _file().read_text(encoding="ascii").splitlines()
    except OSError:
        return False


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "hf_tasks" / "trained_here.txt"


def _digest(run: Path) -> str:
    """Of the contents of FILES. OSError where one of them cannot be read."""
    contents = ((run / name).read_bytes() for name in FILES)
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()
