"""Arrays on disk that are computed once: whole or not there, found by a key, never more than a limit.

ROOT/KEY/states.f32      float32 numbers, row by row
ROOT/KEY/manifest.json   their shape and checksum, written last; its time is that of the last use
ROOT/KEY.partial/        an entry that is being written, under ROOT/.lock-XX; without a lock it is left from a crash

ROOT is `features` in the folder that the environment variable HF_TASKS_CACHE names, or in ~/.cache/hf_tasks.
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
"""Bytes that all entries together may take,"""
SHARE = 0.2
"""or this share of what the disk has for them, where that is less."""
STATES, MANIFEST, PARTIAL = "states.f32", "manifest.json", ".partial"
CHUNK = 1 << 26
"""Bytes of which a checksum is taken at once."""


class CacheFull(Exception):
    """An array that cannot be kept, and why."""


def root() -> Path:
    return Path(os.environ.get("HF_TASKS_CACHE") or "~/.cache/hf_tasks").expanduser() / "features"


def max_size(folder: Path) -> int:
    """Bytes that the entries in a folder may take together."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return int(min(LIMIT, SHARE * (shutil.disk_usage(there).free + _used(folder))))


def find(key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The read-only array of an entry; None where there is none. One that is not whole is removed."""
    folder = root() / key
    if not folder.exists():
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        states = np.memmap(folder / STATES, np.float32, "r")
        whole = manifest["shape"] == list(shape) and states.size == math.prod(shape)
        if whole and _checksum(states) == manifest["crc32"]:
            os.utime(folder / MANIFEST)
            return states.reshape(shape)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # as good as not there
    _remove(folder)
    return None


def write(key: str, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> None:
    """Keep an array; `rows` are its pieces along the first axis. To be called under `locked(key)`, after `make_room`.

    Raises CacheFull where the disk does not take it.
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
    """Be the only one who writes an entry; waits for another process that does. Raises CacheFull without a folder."""
    try:
        root().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_lock(key), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as e:
        raise CacheFull(f"they cannot be written to {root()}: {e.strerror}") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        shutil.rmtree(root() / f"{key}{PARTIAL}", ignore_errors=True)  # of a process that is no more
        yield
    finally:
        os.close(descriptor)


def make_room(size: int) -> None:
    """Remove entries, the one not used for longest first, until `size` more bytes are within the limit."""
    folder = root()
    most = max_size(folder)
    if size > most:
        raise CacheFull(f"{in_bytes(size)} are more than the {in_bytes(most)} that {folder} may hold")
    for partial in folder.glob(f"*{PARTIAL}"):
        _remove_abandoned(partial)
    manifests = {path.parent: path.stat().st_mtime for path in folder.glob(f"*/{MANIFEST}")}
    for entry in sorted(manifests, key=lambda entry: manifests[entry]):
        if _used(folder) + size <= most:
            return
        _remove(entry)


def in_bytes(size: float) -> str:
    """`812 bytes`, `3.1 MB`, `1.2 GB`."""
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
    """Remove an entry: nobody begins to read it any more, who reads it already goes on."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(partial: Path) -> None:
    descriptor = os.open(_lock(partial.name), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(partial, ignore_errors=True)
    except BlockingIOError:
        pass  # somebody writes it, or one of the few that share its lock
    finally:
        os.close(descriptor)


def _lock(key: str) -> Path:
    return root() / f".lock-{key[:2]}"
