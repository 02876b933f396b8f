"""status.json and the lock of a training: running, interrupted, failed or finished."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from hf_tasks.core.errors import RunError
from hf_tasks.core.files import overwrite_json, write_errors, write_json
from hf_tasks.core.signals import Interrupted, signals_blocked
from hf_tasks.runs import json_files
from hf_tasks.runs.origin import Origin

Status = Literal["running", "interrupted", "failed", "finished"]
STATUS, LOCK, CHECKPOINTS, STAGING, FINISHED = "status.json", ".lock", "checkpoints", "unfinished", "results.json"
RESERVED = 400
"""Maximum length of a message that is written when the disk is full."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Context manager that locks a directory. Raises RunError if another training is running in it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as e:
        raise unwritable(path, e) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RunError(
            f"{path}: another training is running in this directory; wait for it, or choose another --output-dir"
        ) from None
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path}: cannot be written: {error.strerror}; choose another --output-dir")


def status(path: Path) -> tuple[Status, str]:
    """Return the status and message of the training in a directory; "running" without a lock means killed."""
    values = _read(path)
    if not values:
        return "interrupted", ""
    if values["status"] == "running" and not _is_locked(path):
        return "interrupted", "it was killed"
    return values["status"], values["message"]


def _read(path: Path) -> dict[str, Any]:
    """Return the values of status.json; {} if it is missing or damaged."""
    try:
        return json_files.read(path / STATUS)
    except RunError:
        return {}


def write_status(path: Path, status: Status, message: str = "", **more: Any) -> None:
    """Write the status of the training in a directory; other keys of `status.json` keep their values.

    On a full disk the file is overwritten in place, with a shortened message.
    """
    before = {name: value for name, value in _read(path).items() if name != "room"}
    value = before | {"status": status, "message": message} | more
    try:
        write_json(path / STATUS, value)
    except OSError:
        overwrite_json(path / STATUS, value | {"message": message[:RESERVED]})


@contextmanager
def record_outcome(path: Path) -> Iterator[None]:
    """Context manager that writes to the status how the training ends."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as e:
        with signals_blocked(), suppress(OSError):
            write_status(path, "interrupted", str(e))
        raise
    except BaseException as e:
        with suppress(OSError):  # the disk may be full
            write_status(path, "failed", (str(e).splitlines() or [type(e).__name__])[0])
        raise
    with signals_blocked(), write_errors(path):
        write_status(path, "finished")


def pushed_to(path: Path) -> dict[str, Any] | None:
    """Return the `hub` section with which the run in a directory was pushed; None if it was not pushed."""
    return _read(path).get("pushed")


def read_origin(path: Path) -> Origin | None:
    """Return the origin of the training in a directory, or None if it was not recorded."""
    values = _read(path).get("origin")
    return Origin(**values) if values else None


def clean_up(path: Path) -> None:
    """Remove the checkpoints and the lock of a training that was killed after its run was published."""
    if not (path / FINISHED).is_file() or not any((path / name).exists() for name in (CHECKPOINTS, STAGING, LOCK)):
        return
    with suppress(RunError, OSError), locked(path):
        for name in (CHECKPOINTS, STAGING):
            shutil.rmtree(path / name, ignore_errors=True)
        write_status(path, "finished")
        (path / LOCK).unlink()


def check_entry_types(path: Path) -> None:
    """Raise RunError if there is a folder in the place of one of a training's files, or the reverse."""
    for name in (STATUS, LOCK, FINISHED):
        if (path / name).is_dir():
            raise RunError(f"{path / name}: is a folder where a file belongs; remove it")
    for name in (CHECKPOINTS, STAGING):
        if (path / name).exists() and not (path / name).is_dir():
            raise RunError(f"{path / name}: is a file where a folder belongs; remove it")


def _is_locked(path: Path) -> bool:
    try:
        with locked(path):
            return False
    except RunError:
        return True
