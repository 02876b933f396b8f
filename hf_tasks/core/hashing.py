"""SHA-256 of files, with a cache so that each version of a large file is read once."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from hf_tasks.core.errors import DataError
from hf_tasks.core.files import atomic_output

SMALL_FILE = 1 << 20
"""Size in bytes up to which files are not cached."""
CACHE_SIZE = 1000
"""Maximum number of files in the cache; the oldest entries are removed."""
MIN_AGE = 2.0
"""Seconds since its last change from which a file's times identify its content."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, from the cache if the file has not changed since it was hashed.

    A file counts as unchanged while its path, inode, size and times (of content and metadata) are the same. The cache
    is hashes.json in the folder that the environment variable HF_TASKS_CACHE names, or in ~/.cache/hf_tasks.
    """
    found = path.stat()
    if found.st_size <= SMALL_FILE:
        return sha256(path)
    key = f"{path.resolve()}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"
    known = _read_cache()
    if key not in known:
        known[key] = sha256(path)
        if time.time() - max(found.st_mtime, found.st_ctime) > MIN_AGE:
            _add_to_cache({key: known[key]})
    return known[key]


def _cache_file() -> Path:
    return Path(os.environ.get("HF_TASKS_CACHE") or "~/.cache/hf_tasks").expanduser() / "hashes.json"


def _read_cache() -> dict[str, str]:
    try:
        known = json.loads(_cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _add_to_cache(new: dict[str, str]) -> None:
    """Add entries to the cache if it is writable; of two processes that write at the same time, one may win."""
    file, known = _cache_file(), _read_cache() | new
    with suppress(OSError, DataError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(file) as output:
            json.dump(dict(list(known.items())[-CACHE_SIZE:]), output)
