"""SHA-256 of files; those of large files are remembered, so that each version of a file is read once."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

SMALL = 1 << 20
"""Bytes up to which a file is hashed anew each time."""
REMEMBERED = 1000
"""Files in the cache; the ones that were hashed last stay."""
SETTLED = 2.0
"""Seconds after its last change from which a file's times identify its content."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_sha256(path: Path) -> str:
    """`sha256`, read from the cache where the file has not changed since it was hashed.

    A file counts as unchanged while its path, inode, size and times (of content and metadata) are the same. The cache
    is hashes.json in the folder that the environment variable HF_TASKS_CACHE names, or in ~/.cache/hf_tasks.
    """
    found = path.stat()
    if found.st_size <= SMALL:
        return sha256(path)
    key = f"{path.resolve()}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"
    known = _known()
    if key not in known:
        known[key] = sha256(path)
        if time.time() - max(found.st_mtime, found.st_ctime) > SETTLED:
            _remember({key: known[key]})
    return known[key]


def _file() -> Path:
    return Path(os.environ.get("HF_TASKS_CACHE") or "~/.cache/hf_tasks").expanduser() / "hashes.json"


def _known() -> dict[str, str]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(new: dict[str, str]) -> None:
    """Add to the cache, where it can be written; of two processes at the same time, one may win."""
    file, known = _file(), _known() | new
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(dict(list(known.items())[-REMEMBERED:])), encoding="utf-8")
        temporary.replace(file)
