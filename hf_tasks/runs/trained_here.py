"""Record which runs were trained on this machine; templates, folders and code of other runs are not trusted.

STATE/hf_tasks/trained_here.txt   one line per run: the SHA-256 of its recipe, environment and results; its directory

STATE is XDG_STATE_HOME or ~/.local/state, so that no file in a run can claim that it was trained here. A run that was
moved or copied is recognized. A changed run is recognized again when its changes are accepted in the directory in which
it was trained (`verify --renew`).
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
"""The files of a run that determine the template, the folders that are read, and the code examples."""


def record(run: Path) -> None:
    """Record that a run was trained here; prints a message if the record cannot be written."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="surrogateescape") as lines:
            lines.write(f"{_digest(run)} {_directory(run)}\n")
    except OSError as e:
        print(f"{file}: cannot be written ({e.strerror}): the run counts as trained elsewhere", file=sys.stderr)


def is_trained_here(run: Path) -> bool:
    """Whether a run was trained on this machine and has not been changed since."""
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
    """Return the hash of the contents of FILES. Raises OSError if one of them cannot be read."""
    return _joined(sha256(run / name) for name in FILES)


def _joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(map(bytes.fromhex, hashes))).hexdigest()
