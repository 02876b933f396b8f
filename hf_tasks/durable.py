"""Files that a crash cannot leave half written: each is complete on the disk before its name appears."""

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hf_tasks.errors import DataError, RunError


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """What goes wrong while a folder is written, as one RunError: no room, no permission."""
    try:
        yield
    except Exception as e:
        cause = cause_of(e)
        if cause is None:
            raise
        remedy = "nothing already saved is lost; make room or mend the folder, and give the same command again to go on"
        raise RunError(f"{folder}: cannot be written: {cause}; {remedy}") from e


def cause_of(error: Exception) -> str | None:
    """What the operating system refused, in its words; None where an error is of another kind. Libraries written in
    Rust (tokenizers, safetensors) name the number of the system's error in their messages."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(found[1])) if found else None


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at one instant: readers, and a machine that stops, see the old one or the new one."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file at one instant."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def overwrite_json(path: Path, value: Any) -> None:
    """Write over a JSON file, which must be as long at least: it takes no room. (One call of the system, which a kill
    does not divide; for the machine that stops in it, `write_json` is the better way.)"""
    content = json.dumps(value, ensure_ascii=False, indent=1).encode()
    with path.open("r+b", buffering=0) as file:
        room = os.fstat(file.fileno()).st_size
        if len(content) >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.write(content.ljust(room - 1) + b"\n")
        os.fsync(file.fileno())


@contextmanager
def appearing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file of a command's output, which appears under its name once it is whole. DataError where it cannot be
    written, or another command is writing it."""
    part = path.with_name(f"{path.name}.part")
    with _output(path, part):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), part.stat()):
            raise BlockingIOError  # the other command has just finished
        os.ftruncate(descriptor, 0)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    file = os.fdopen(descriptor, mode, **text)  # type: ignore[call-overload]
    try:
        with _output(path, part):
            yield file
            file.flush()
            os.fsync(descriptor)
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        with suppress(OSError):  # what could not be written cannot be written now either
            file.close()


@contextmanager
def _output(path: Path, part: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise DataError(f"{path}: another command is writing it; wait, or choose another file with -o") from None
    except OSError as e:
        if e.errno is None or e.filename not in (None, str(part), str(path)):
            raise  # of something else that the work reads or writes
        raise DataError(f"{path}: cannot be written: {e.strerror}; choose another file with -o") from None


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
