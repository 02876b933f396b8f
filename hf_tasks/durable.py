"""Files that a crash cannot leave half written: each is complete on the disk before its name appears."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_tasks.errors import RunError


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """What goes wrong while a folder is written, as one RunError: no room, no permission."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as e:
        cause = e.strerror if isinstance(e, OSError) and e.strerror else str(e).splitlines()[0]
        remedy = "nothing already saved is lost; make room or mend the folder, and give the same command again to go on"
        raise RunError(f"{folder}: cannot be written: {cause}; {remedy}") from e


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at one instant: readers, and a machine that stops, see the old one or the new one."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file at one instant."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def publish(staging: Path, target: Path, last: str) -> None:
    """Move the files of a folder into another one, the file `last` after all others; the empty folder is removed.

    Whoever finds `last` in the target finds everything. A move that was cut short is done again with a new staging.
    """
    files = [path.relative_to(staging) for path in files_below(staging)]
    for path in (staging, *staging.rglob("*")):
        sync(path)
    for name in sorted(files, key=lambda name: name.as_posix() == last):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target / name)
        sync((target / name).parent)
    for folder in sorted((path for path in staging.rglob("*")), reverse=True):
        folder.rmdir()
    staging.rmdir()


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of a folder and the folders in it, sorted by name."""
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
