"""The runs of several seeds or folds in a directory, whichever they are."""

from pathlib import Path

from hf_tasks.training.folds import FoldRuns
from hf_tasks.training.seeds import SeedRuns


def group_at(path: str | Path) -> SeedRuns | FoldRuns | None:
    """Return the runs of several seeds or folds in a directory; None if it is another one."""
    kinds: tuple[type[SeedRuns | FoldRuns], ...] = (SeedRuns, FoldRuns)
    return next((kind.load(path) for kind in kinds if kind.is_here(path)), None)
