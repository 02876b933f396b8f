"""manifest.json: the size and SHA-256 of each file of a folder, to detect damaged files."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_tasks.core.files import write_json
from hf_tasks.core.hashing import sha256
from hf_tasks.core.untrusted import read_json

FILE = "manifest.json"
Entries = dict[str, dict[str, Any]]
"""File name relative to the folder -> `size` in bytes and `sha256`."""


def entries(folder: Path, names: Iterable[str]) -> Entries:
    """Return the entries of the named files of a folder."""
    return {name: {"size": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in names}


def build(files: Entries, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a manifest: the entries, additional facts, and the SHA-256 of both."""
    manifest = {**(facts or {}), "files": files}
    return manifest | {"sha256": _digest(manifest)}


def write(folder: Path, files: Entries, facts: Mapping[str, Any] | None = None) -> None:
    """Write a folder's manifest atomically."""
    write_json(folder / FILE, build(files, facts))


def read(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest; raises ValueError if it is damaged or names a file outside of the folder."""
    try:
        manifest = read_json(folder / FILE)
        intact = manifest.pop("sha256") == _digest(manifest)
        names = list(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise ValueError(f"its {FILE} is damaged")
    if outside := [name for name in names if ".." in Path(name).parts or Path(name).is_absolute()]:
        raise ValueError(f"{outside[0]} is not in it")
    return manifest  # type: ignore[no-any-return]


def problems(folder: Path, files: Entries, digest: Callable[[Path], str] = sha256) -> Iterator[str]:
    """Yield a message for each file that is missing or differs from its entry."""
    for name, listed in files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif (found := path.stat().st_size) != listed["size"]:
            yield f"{name} has {found} bytes instead of {listed['size']}"
        elif digest(path) != listed["sha256"]:
            yield f"{name} is not as it was written"


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
