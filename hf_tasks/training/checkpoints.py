"""Checkpoints that are whole or do not count.

A checkpoint is a folder `checkpoint-STEP`. Its files are written first and brought to the disk; then its manifest.json,
with the size and SHA-256 of every file, appears at one instant. A folder without manifest was never finished; one whose
files differ from the manifest was damaged. `last_good` uses neither. (The marker that is written last is how
torch.distributed.checkpoint completes a checkpoint, too; it needs no renaming of folders.)
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
"""Newest checkpoints that are kept, whatever the recipe says: one may turn out damaged."""
MARGIN = 1.2
"""Room that must be free before a save, in sizes of the last checkpoint."""
NAME = re.compile(r"checkpoint-(\d+)")


def step_of(folder: Path) -> int:
    match = NAME.fullmatch(folder.name)
    return int(match[1]) if match else -1


def folders(root: Path) -> list[Path]:
    """The checkpoint folders below `root`, whole or not, newest first."""
    return sorted((path for path in root.glob("checkpoint-*") if step_of(path) >= 0), key=step_of, reverse=True)


def finalize(folder: Path, facts: Mapping[str, Any]) -> None:
    """Complete a checkpoint: sync its files to the disk, then write its manifest, which lists them, with `facts`.

    Facts: `best`, the name of the best checkpoint so far or None; `temporary`, whether the next checkpoint replaces
    this one; other keys belong to the caller."""
    (folder / MANIFEST).unlink(missing_ok=True)
    paths = list(files_below(folder))
    for path in (*paths, *(path for path in folder.rglob("*") if path.is_dir()), folder, folder.parent):
        sync(path)
    names = (path.relative_to(folder).as_posix() for path in paths)
    manifest.write(folder, manifest.entries(folder, names), {**facts, "step": step_of(folder)})


def facts(folder: Path) -> dict[str, Any]:
    """The manifest of a whole checkpoint."""
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def problem(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None: every file must be there, as it was written, and no other."""
    if not folder.is_dir():
        return "it is a file, not a folder"
    if not (folder / MANIFEST).exists():
        return "it was not written to its end"
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
    """(the newest checkpoint that is whole, and whose best checkpoint is whole too, or None; what is wrong with each
    newer one, a line each)."""
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
    """Remove checkpoints that are newer than the one in use: they are damaged, or were not written to their end."""
    for folder in folders(root):
        if good is None or step_of(folder) > step_of(good):
            remove(folder)


def rotate(root: Path, limit: int | None) -> None:
    """Keep the newest whole checkpoint, the newest `limit` (None: all of them; KEPT at least) that are not `temporary`,
    and the best one of each."""
    whole = [folder for folder in folders(root) if (folder / MANIFEST).exists()]
    lasting = [folder for folder in whole if not facts(folder).get("temporary")]
    kept = [*whole[:1], *(lasting[: max(limit, KEPT)] if limit is not None else lasting)]
    best = {facts(folder)["best"] for folder in kept}
    for folder in whole:
        if folder not in kept and folder.name not in best:
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a checkpoint; the manifest goes first, so that what is left of an interrupted removal does not count."""
    if not folder.is_dir():
        folder.unlink()
        return
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def disk_space_error(root: Path, size: int) -> str | None:
    """What is wrong with the disk below `root` if a checkpoint of `size` bytes shall be written, or None."""
    free = shutil.disk_usage(root).free
    if free >= size * MARGIN:
        return None
    return f"a checkpoint needs {size * MARGIN / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free on this disk"


def size(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(path.stat().st_size for path in files_below(folder))
