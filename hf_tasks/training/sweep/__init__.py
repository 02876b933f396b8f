"""Train a recipe with several values of its keys, ranked by their score on the validation split."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_tasks.training.sweep.study import Sweeping


def sweep(
    path: Path,
    over: Sequence[str] = (),
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    *,
    output_dir: Path | None = None,
    timeout: str | None = None,
) -> "Sweeping":
    """Sweep a recipe file over `key=values` and draw the scores of its trials.

    `options`: values that replace those of the recipe's `sweep` section; `timeout`: such as 90s, 30m or 2h, after
    which no trial is started. Raises RecipeError, DataError or RunError; RunError too where no trial finished.
    """
    from hf_tasks.training.sweep.report import draw
    from hf_tasks.training.sweep.study import PICTURE, run_trials

    sweeping = run_trials(path, over, overrides, options, output_dir=output_dir, timeout=timeout)
    draw(sweeping, sweeping.folder / PICTURE)
    return sweeping
