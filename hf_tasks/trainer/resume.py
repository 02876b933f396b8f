"""Going on with a training that was interrupted: whose directory it is, whether it is the same training, from where.

status.json   what became of the training (`status`), and what it was begun with
.lock         held by the training that is under way; whoever finds it free knows that none is
checkpoints/  whole states of the training (see checkpoints.py), until the run is finished
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from hf_tasks import distributed, durable
from hf_tasks.errors import RunError
from hf_tasks.runs.origin import Origin
from hf_tasks.trainer import checkpoints
from hf_tasks.trainer.interrupts import Interrupted, unsignalled

Status = Literal["running", "interrupted", "failed", "finished"]
STATUS, LOCK, CHECKPOINTS, STAGING, FINISHED = "status.json", ".lock", "checkpoints", "unfinished", "results.json"
RESERVED = 400
"""Bytes of a message that the status has room for when the disk is full."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The directory for this training alone. RunError where another one is under way in it."""
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
            f"{path}: another training is writing here; wait for it, or choose another --output-dir"
        ) from None
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path}: cannot be written: {error.strerror}; choose another --output-dir")


def status(path: Path) -> tuple[Status, str]:
    """What became of the training in a directory, and why; one that says it runs but holds no lock was killed."""
    try:
        noted = json.loads((path / STATUS).read_text(encoding="utf-8"))
        known, text = noted["status"], noted["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return "interrupted", ""
    if known == "running" and not _is_locked(path):
        return "interrupted", "it was killed"
    return known, text


def note(path: Path, status: Status, message: str = "", **more: Any) -> None:
    """Write what became of the training; what was noted before and is not named stays. On a disk that is full it is
    written over what is there, with the message as far as it fits."""
    try:
        before = json.loads((path / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    before.pop("room", None)
    value = before | {"status": status, "message": message} | more
    try:
        durable.write_json(path / STATUS, value)
    except OSError:
        durable.overwrite_json(path / STATUS, value | {"message": message[:RESERVED]})


@contextmanager
def noted(path: Path) -> Iterator[None]:
    """Notes how the training within this context ends."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as e:
        with unsignalled(), suppress(OSError):
            note(path, "interrupted", str(e))
        raise
    except BaseException as e:
        with suppress(OSError):  # the disk may be full
            note(path, "failed", (str(e).splitlines() or [type(e).__name__])[0])
        raise
    with durable.written(path):
        note(path, "finished")


def pushed_to(path: Path) -> dict[str, Any] | None:
    """The `hub` section by which the finished run in a directory was pushed; None where it was not."""
    try:
        return json.loads((path / STATUS).read_text(encoding="utf-8")).get("pushed")  # type: ignore[no-any-return]
    except (OSError, ValueError, AttributeError):
        return None


def begun_with(path: Path) -> Origin | None:
    """What the training in a directory was begun with, or None where it did not come that far."""
    try:
        return Origin(**json.loads((path / STATUS).read_text(encoding="utf-8"))["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def checkpoint_to_resume(path: Path, now: Origin) -> tuple[Path | None, list[str]]:
    """(the checkpoint to go on from, or None for the beginning; what to tell people). RunError where this is another
    training than the one that was begun. Checkpoints that cannot be used are removed."""
    before = begun_with(path)
    if before is None:
        return None, []
    refuse_changes(path, now)
    root = path / CHECKPOINTS
    good, skipped = checkpoints.last_good(root)
    checkpoints.remove_unusable(root, good)
    where = f"step {checkpoints.step_of(good)}" if good else "the beginning"
    rounding = [f"{change}: sums may be rounded differently from here on" for change in before.machine_changes(now)]
    return good, [*(f"not used: {line}" for line in skipped), f"resuming {path} from {where}", *rounding]


def refuse_changes(path: Path, now: Origin) -> None:
    """RunError where an unfinished training in a directory was begun with something else; with all that has changed."""
    before = begun_with(path)
    if changes := list(before.changes(now)) if before else []:
        remedy = "undo that to go on with it, choose another --output-dir, or start anew with --overwrite"
        raise RunError(*(f"{path}: this training was not finished, and {change}; {remedy}" for change in changes))


@contextmanager
def claimed(path: Path, now: Origin, begin: Callable[[], None], overwrite: bool) -> Iterator[Path | None]:
    """A run's directory for this training alone, and the checkpoint to go on from; None: it is empty, and the training
    starts at its beginning. How it ends is noted. Checkpoints are removed once the run is finished."""
    with ExitStack() as stack:
        yield distributed.told_by_main(lambda: _entered(stack, path, now, begin, overwrite))
        if distributed.is_main():
            shutil.rmtree(path / CHECKPOINTS, ignore_errors=True)
            (path / LOCK).unlink(missing_ok=True)


def _entered(stack: ExitStack, path: Path, now: Origin, begin: Callable[[], None], overwrite: bool) -> Path | None:
    from hf_tasks.trainer.progress import say

    stack.enter_context(locked(path))
    if (path / FINISHED).exists() and not overwrite:
        raise RunError(f"{path}: another training has just finished here; there is nothing to do")
    if not overwrite and begun_with(path) is None and holds_files(path):
        text = "a run that was not finished is here, and how it was begun is not known"
        raise RunError(f"{path}: {text}; look at it, choose another --output-dir, or add --overwrite")
    checkpoint, lines = (None, []) if overwrite else checkpoint_to_resume(path, now)
    for line in lines:
        say(line)
    try:
        if checkpoint is None:
            _empty(path)
        note(path, "running", origin=asdict(now), pushed=None, room=" " * RESERVED)
        begin()
    except OSError as e:
        raise unwritable(path, e) from None
    stack.enter_context(noted(path))
    return checkpoint


def tidy(path: Path) -> None:
    """Remove what a training left that was killed when its run was whole already, and note that it is finished."""
    if not (path / FINISHED).is_file() or not any((path / name).exists() for name in (CHECKPOINTS, STAGING, LOCK)):
        return
    with suppress(RunError, OSError), locked(path):
        for name in (CHECKPOINTS, STAGING):
            shutil.rmtree(path / name, ignore_errors=True)
        note(path, "finished")
        (path / LOCK).unlink()


def check_kinds(path: Path) -> None:
    """RunError where a folder is in the place of one of a training's files, or the reverse."""
    for name in (STATUS, LOCK, FINISHED):
        if (path / name).is_dir():
            raise RunError(f"{path / name}: is a folder where a file belongs; remove it")
    for name in (CHECKPOINTS, STAGING):
        if (path / name).exists() and not (path / name).is_dir():
            raise RunError(f"{path / name}: is a file where a folder belongs; remove it")


def holds_files(path: Path) -> bool:
    """Whether anything is in a directory but empty folders and what a training leaves that was killed at once."""
    return any(file.is_file() and not file.name.startswith(".") for file in path.rglob("*"))


def _empty(path: Path) -> None:
    """Remove all but the lock; the results go first, for without them no run is finished, and the status last."""
    for entry in sorted(path.iterdir(), key=lambda entry: (entry.name != FINISHED, entry.name == STATUS)):
        if entry.name != LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _is_locked(path: Path) -> bool:
    try:
        with locked(path):
            return False
    except RunError:
        return True
