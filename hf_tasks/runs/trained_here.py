"""Which runs were trained on this machine: the others are not trusted with templates, folders and code.

STATE/hf_tasks/trained_here.txt   a line a run: the SHA-256 of its recipe, environment and results, and its directory

STATE is the folder that XDG_STATE_HOME names, or ~/.local/state. Nothing in a run can claim that it was trained here.
A run that was moved or copied is still known. One that was changed is known again when its changes are accepted in the
directory in which it was trained (`verify --renew`); one that came from elsewhere is not.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from hf_tasks.core import manifest
from hf_tasks.core.hashing import sha256
from hf_tasks.runs.status import STAGING

FILES = ("recipe.yaml", "environment.json", "results.json")
"""The files of a run that decide which template and which folder are read, and what a snippet says."""


def record(run: Path) -> None:
    """Note that the run in a directory was trained here; a message where that cannot be written."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="surrogateescape") as lines:
            lines.write(f"{_digest(run)} {_directory(run)}\n")
    except OSError as e:
        print(f"{file}: cannot be written ({e.strerror}): the run counts as trained elsewhere", file=sys.stderr)


def is_trained_here(run: Path) -> bool:
    """Whether the run in a directory was trained on this machine, and has not been changed since."""
    try:
        return _digest(run) in {line.partition(" ")[0] for line in _lines()}
    except OSError:
        return False


def was_trained_here(run: Path) -> bool:
    """Whether the run in a directory was trained in it on this machine, whatever was changed since: its manifest lists
    the files that were recorded for this directory."""
    try:
        entries = manifest.read(run)["files"]
        before = _joined(entries[name]["sha256"] for name in FILES)
        return f"{before} {_directory(run)}" in _lines()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "hf_tasks" / "trained_here.txt"


def _lines() -> list[str]:
    return _file().read_text(encoding="utf-8", errors="surrogateescape").split("\n")


def _directory(run: Path) -> Path:
    """The run's own directory; while it is being saved, it is in a folder below."""
    return (run.parent if run.name == STAGING else run).resolve()


def _digest(run: Path) -> str:
    """Of the contents of FILES. OSError where one of them cannot be read."""
    return _joined(sha256(run / name) for name in FILES)


def _joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(map(bytes.fromhex, hashes))).hexdigest()
