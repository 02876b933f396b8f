"""Atomic checkpoints: incomplete and damaged ones are detected and not used.

A checkpoint is a folder `checkpoint-STEP`. Its files are written and synced to the disk first; then manifest.json, with
the size and SHA-256 of every file, is written atomically. A checkpoint without a manifest is incomplete; one whose
files differ from the manifest is damaged. `last_good` skips both. (torch.distributed.checkpoint also completes a
checkpoint by writing its metadata last.)
"""

import json
import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hf_tasks.core import manifest
from hf_tasks.core.files import files_below, sync

MANIFEST = manifest.FILE
KEPT = 2
"""Minimum number of newest checkpoints to keep, since one of them can be damaged."""
MARGIN = 1.2
"""Free disk space that a save needs, relative to the size of the last checkpoint."""
NAME = re.compile(r"checkpoint-(\d+)")


def step_of(folder: Path) -> int:
    match = NAME.fullmatch(folder.name)
    return int(match[1]) if match else -1


def folders(root: Path) -> list[Path]:
    """Return the checkpoint folders below `root`, complete or not, newest first."""
    return sorted((path for path in root.glob("checkpoint-*") if step_of(path) >= 0), key=step_of, reverse=True)


def finalize(folder: Path, facts: Mapping[str, Any]) -> None:
    """Complete a checkpoint: sync its files to the disk, then write its manifest with `facts`.

    Facts: `best`, the name of the best checkpoint so far or None; `temporary`, whether the next checkpoint replaces
    this one; other keys belong to the caller.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    paths = list(files_below(folder))
    for path in (*paths, *(path for path in folder.rglob("*") if path.is_dir()), folder, folder.parent):
        sync(path)
    names = (path.relative_to(folder).as_posix() for path in paths)
    manifest.write(folder, manifest.entries(folder, names), {**facts, "step": step_of(folder)})


def facts(folder: Path) -> dict[str, Any]:
    """Return the manifest of a complete checkpoint."""
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def problem(folder: Path) -> str | None:
    """Return why a checkpoint cannot be used (a missing, changed or additional file), or None."""
    if not folder.is_dir():
        return "it is a file, not a folder"
    if not (folder / MANIFEST).exists():
        return "it was not written completely"
    try:
        listed = manifest.read(folder)
    except ValueError as e:
        return str(e)
    if listed.get("step") != step_of(folder):
        return f"its {MANIFEST} is damaged"
    there = {path.relative_to(folder).as_posix() for path in files_below(folder)} - {MANIFEST}
    if strange := sorted(there - listed["files"].keys()):
        return f"{strange[0]} does not belong to it"
    return next(manifest.problems(folder, listed["files"]), None)


def last_good(root: Path) -> tuple[Path | None, list[str]]:
    """Return the newest usable checkpoint, or None, and a message for each newer one.

    A checkpoint is usable if it and its best checkpoint are complete and undamaged.
    """
    known, skipped = cache(problem), list[str]()
    for folder in folders(root):
        trouble = known(folder)
        best = None if trouble else facts(folder)["best"]
        if best and (worse := known(root / best)):
            trouble = f"its best checkpoint {best} cannot be used: {worse}"
        if trouble is None:
            return folder, skipped
        skipped.append(f"{folder}: {trouble}")
    return None, skipped


def remove_unusable(root: Path, good: Path | None) -> None:
    """Remove checkpoints that are newer than the one in use: they are damaged or incomplete."""
    for folder in folders(root):
        if good is None or step_of(folder) > step_of(good):
            remove(folder)


def rotate(root: Path, limit: int | None) -> None:
    """Remove old checkpoints.

    Kept are the newest complete checkpoint, the newest `limit` ones (None: all; at least KEPT) that are not
    `temporary`, and the best checkpoint of each.
    """
    complete = [folder for folder in folders(root) if (folder / MANIFEST).exists()]
    lasting = [folder for folder in complete if not facts(folder).get("temporary")]
    kept = [*complete[:1], *(lasting[: max(limit, KEPT)] if limit is not None else lasting)]
    best = {facts(folder)["best"] for folder in kept}
    for folder in complete:
        if folder not in kept and folder.name not in best:
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a checkpoint, the manifest first, so that the rest of an interrupted removal is incomplete."""
    if not folder.is_dir():
        folder.unlink()
        return
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def disk_space_error(root: Path, size: int) -> str | None:
    """Return an error message if `root` has no space for a checkpoint of `size` bytes, else None."""
    free = shutil.disk_usage(root).free
    if free >= size * MARGIN:
        return None
    return f"a checkpoint needs {size * MARGIN / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free on this disk"


def size(folder: Path) -> int:
    """Return the size of all files of a folder in bytes."""
    return sum(path.stat().st_size for path in files_below(folder))
