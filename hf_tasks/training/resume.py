"""Resume an interrupted training: lock its directory, check that its inputs are unchanged, find the checkpoint.

status.json   the status and the origin of the training
.lock         locked by the running training
checkpoints/  complete states of the training (see checkpoints.py), until the run is finished
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.signals import signals_blocked
from hf_tasks.runs.origin import Origin
from hf_tasks.runs.status import (
    CHECKPOINTS,
    FINISHED,
    LOCK,
    RESERVED,
    STATUS,
    locked,
    read_origin,
    record_outcome,
    unwritable,
    write_status,
)
from hf_tasks.training import checkpoints


def checkpoint_to_resume(path: Path, now: Origin) -> tuple[Path | None, list[str]]:
    """Return the checkpoint to resume from (None: the beginning) and messages; remove unusable checkpoints.

    Raises RunError if the inputs of the training have changed.
    """
    before = read_origin(path)
    if before is None:
        return None, []
    refuse_changes(path, now)
    root = path / CHECKPOINTS
    good, skipped = checkpoints.last_good(root)
    checkpoints.remove_unusable(root, good)
    where = f"step {checkpoints.step_of(good)}" if good else "the beginning"
    rounding = [f"{change}: results can differ by rounding from here on" for change in before.machine_changes(now)]
    return good, [*(f"not used: {line}" for line in skipped), f"resuming {path} from {where}", *rounding]


def refuse_changes(path: Path, now: Origin) -> None:
    """Raise RunError with all changes if the inputs of an unfinished training in a directory have changed."""
    before = read_origin(path)
    if changes := list(before.changes(now)) if before else []:
        remedy = "undo that to resume it, choose another --output-dir, or start again with --overwrite"
        raise RunError(*(f"{path}: this training was not finished, and {change}; {remedy}" for change in changes))


@contextmanager
def claim_run_dir(path: Path, now: Origin, begin: Callable[[], None], overwrite: bool) -> Iterator[Path | None]:
    """Context manager that locks a run's directory and gives the checkpoint to resume from (None: the beginning).

    It records the outcome in the status and removes the checkpoints after success.
    """
    with ExitStack() as stack:
        yield distributed.broadcast_from_main(lambda: _entered(stack, path, now, begin, overwrite))


@contextmanager
def _emptied_at_the_end(path: Path) -> Iterator[None]:
    """Remove what a finished training does not need, the lock last: where it is, the next command cleans up."""
    yield
    shutil.rmtree(path / CHECKPOINTS, ignore_errors=True)
    (path / LOCK).unlink(missing_ok=True)


def _entered(stack: ExitStack, path: Path, now: Origin, begin: Callable[[], None], overwrite: bool) -> Path | None:
    from hf_tasks.core.terminal import say

    stack.enter_context(locked(path))
    stack.enter_context(_emptied_at_the_end(path))
    if (path / FINISHED).exists() and not overwrite:
        raise RunError(f"{path}: another training has just finished in this directory; there is nothing to do")
    if not overwrite and read_origin(path) is None and holds_files(path):
        text = "contains an unfinished run whose inputs were not recorded"
        raise RunError(f"{path}: {text}; look at it, choose another --output-dir, or add --overwrite")
    checkpoint, lines = (None, []) if overwrite else checkpoint_to_resume(path, now)
    for line in lines:
        say(line)
    try:
        if checkpoint is None:
            _empty(path)
        with signals_blocked():  # a signal between the two would leave the status "running"
            write_status(path, "running", origin=asdict(now), pushed=None, room=" " * RESERVED)
            stack.enter_context(record_outcome(path))
        begin()
    except OSError as e:
        raise unwritable(path, e) from None
    return checkpoint


def holds_files(path: Path) -> bool:
    """Whether a directory contains files other than hidden ones, such as the lock of a killed training."""
    return any(file.is_file() and not file.name.startswith(".") for file in path.rglob("*"))


def _empty(path: Path) -> None:
    """Remove everything except the lock: the results first, without which a run is unfinished, the status last."""
    for entry in sorted(path.iterdir(), key=lambda entry: (entry.name != FINISHED, entry.name == STATUS)):
        if entry.name != LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
