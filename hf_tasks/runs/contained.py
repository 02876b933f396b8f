"""Refuse links out of a run: their targets are neither pushed nor written."""

from pathlib import Path

from hf_tasks.core.errors import RunError


def check_inside(run: Path, file: Path) -> None:
    """Raise RunError if a file of a run, or a folder above it, is a link to a place outside of the run."""
    if not file.resolve().is_relative_to(run.resolve()):
        raise RunError(f"{file}: is a link out of the run, to {file.resolve()}; replace it by the file itself")
