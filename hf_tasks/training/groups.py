"""The runs of several seeds or folds in a directory, whichever they are."""

from pathlib import Path

from hf_tasks.core.errors import RunError
from hf_tasks.runs.compare import Comparison
from hf_tasks.training import folds, seeds
from hf_tasks.training.folds import FoldRuns
from hf_tasks.training.seeds import SeedRuns


def group_at(path: str | Path) -> SeedRuns | FoldRuns | None:
    """Return the runs of several seeds or folds in a directory; None if it is another one."""
    kinds: tuple[type[SeedRuns | FoldRuns], ...] = (SeedRuns, FoldRuns)
    return next((kind.load(path) for kind in kinds if kind.is_here(path)), None)


def compare(first: SeedRuns | FoldRuns, second: SeedRuns | FoldRuns, split: str) -> Comparison | list[str]:
    """Compare two groups: of folds the predictions, of seeds the means as lines for the terminal. Raises RunError."""
    match first, second:
        case FoldRuns(), FoldRuns():
            return folds.compare(first, second)
        case SeedRuns(), SeedRuns():
            return list(seeds.compare(first, second, split))
    raise RunError(f"{second.path}: has {second.kind}s, and {first.path} has {first.kind}s; compare two of one kind")
