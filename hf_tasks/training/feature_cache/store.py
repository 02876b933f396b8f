"""Disk cache of arrays with a size limit; entries are found by a key and written atomically.

ROOT/KEY/states.f32      float32 numbers in row-major order
ROOT/KEY/manifest.json   shape and checksum, written last; its modification time is the last use
ROOT/KEY.partial/        an entry that is being written, locked by ROOT/.lock-XX; without a lock it is left by a crash

ROOT is `features` in the folder HF_TASKS_CACHE (environment variable), or in ~/.cache/hf_tasks.
"""

import contextlib
import fcntl
import json
import math
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hf_tasks.core.files import sync, write_json

LIMIT = 10 * 10**9
"""Maximum size of the cache in bytes."""
SHARE = 0.2
"""Maximum size of the cache relative to the free disk space."""
STATES, MANIFEST, PARTIAL = "states.f32", "manifest.json", ".partial"
CHUNK = 1 << 26
"""Number of bytes per step of the checksum."""


class CacheFull(Exception):
    """An array does not fit into the cache or cannot be written."""


def root() -> Path:
    return Path(os.environ.get("HF_TASKS_CACHE") or "~/.cache/hf_tasks").expanduser() / "features"


def max_size(folder: Path) -> int:
    """Return the maximum size of the cache in a folder in bytes."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return int(min(LIMIT, SHARE * (shutil.disk_usage(there).free + _used(folder))))


def find(key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the read-only array of an entry, or None; a damaged entry is removed."""
    folder = root() / key
    if not folder.exists():
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        states = np.memmap(folder / STATES, np.float32, "r")
        complete = manifest["shape"] == list(shape) and states.size == math.prod(shape)
        if complete and _checksum(states) == manifest["crc32"]:
            os.utime(folder / MANIFEST)
            return states.reshape(shape)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # damaged
    _remove(folder)
    return None


def write(key: str, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> None:
    """Write an entry; `rows`: its pieces along the first axis. Raises CacheFull if it cannot be written.

    Call it within `locked(key)`, after `make_room`.
    """
    folder, partial = root() / key, root() / f"{key}{PARTIAL}"
    try:
        partial.mkdir()
        checksum = 0
        with (partial / STATES).open("wb") as file:
            for piece in rows:
                data = np.ascontiguousarray(piece, np.float32).data
                file.write(data)
                checksum = zlib.crc32(data, checksum)
        sync(partial / STATES)
        write_json(partial / MANIFEST, {"shape": shape, "crc32": checksum})
        partial.rename(folder)
        sync(folder.parent)
    except OSError as e:
        raise CacheFull(f"they cannot be written to {folder.parent}: {e.strerror}") from e
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def locked(key: str) -> Iterator[None]:
    """Context manager that locks an entry, waiting for other processes. Raises CacheFull without a folder."""
    try:
        root().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_lock(key), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as e:
        raise CacheFull(f"they cannot be written to {root()}: {e.strerror}") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        shutil.rmtree(root() / f"{key}{PARTIAL}", ignore_errors=True)  # left by a killed process
        yield
    finally:
        os.close(descriptor)


def make_room(size: int) -> None:
    """Remove the least recently used entries until `size` more bytes are within the limit. Raises CacheFull."""
    folder = root()
    most = max_size(folder)
    if size > most:
        raise CacheFull(f"{in_bytes(size)} are more than the limit of {in_bytes(most)} of {folder}")
    for partial in folder.glob(f"*{PARTIAL}"):
        _remove_abandoned(partial)
    manifests = {path.parent: path.stat().st_mtime for path in folder.glob(f"*/{MANIFEST}")}
    for entry in sorted(manifests, key=lambda entry: manifests[entry]):
        if _used(folder) + size <= most:
            return
        _remove(entry)


def in_bytes(size: float) -> str:
    """Format a size as `812 bytes`, `3.1 MB` or `1.2 GB`."""
    if size < 1e5:
        return f"{size:.0f} bytes"
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"*/{STATES}"))


def _checksum(states: np.ndarray) -> int:
    checksum = 0
    for start in range(0, states.size, CHUNK // 4):
        checksum = zlib.crc32(states[start : start + CHUNK // 4].data, checksum)
    return checksum


def _remove(folder: Path) -> None:
    """Remove an entry, the manifest first; processes that have opened it can still read it."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(partial: Path) -> None:
    descriptor = os.open(_lock(partial.name), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(partial, ignore_errors=True)
    except BlockingIOError:
        pass  # another process writes it, or an entry with the same lock
    finally:
        os.close(descriptor)


def _lock(key: str) -> Path:
    return root() / f".lock-{key[:2]}"
