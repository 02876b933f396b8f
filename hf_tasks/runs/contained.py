"""Links that lead out of a run: what is behind them is neither pushed nor written."""

from pathlib import Path

from hf_tasks.core.errors import RunError


def check_inside(run: Path, file: Path) -> None:
    """RunError where a file of a run, or a folder on the way to it, is a link to a place outside of the run."""
    if not file.resolve().is_relative_to(run.resolve()):
        raise RunError(f"{file}: is a link that leaves the run, to {file.resolve()}; put the file itself in its place")
