"""Train a recipe with several values of its keys, ranked by their score on the validation split."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hf_tasks.core import distributed
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.files import write_json
from hf_tasks.core.terminal import say
from hf_tasks.recipe import resolve, sections
from hf_tasks.runs.origin import Origin
from hf_tasks.runs.status import locked
from hf_tasks.training.arguments import arguments
from hf_tasks.training.inputs import origin_of
from hf_tasks.training.sweep.plan import Plan
from hf_tasks.training.sweep.report import draw
from hf_tasks.training.sweep.study import BEFORE_PRUNING, DATABASE, ORIGIN, PICTURE, Sweeping


def sweep(
    path: Path,
    over: Sequence[str] = (),
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    *,
    output_dir: Path | None = None,
    timeout: str | None = None,
) -> Sweeping:
    """Sweep a recipe file over `key=values` and plot the scores of its trials.

    `options`: values that replace those of the recipe's `sweep` section; `timeout`: such as 90s, 30m or 2h, after
    which no trial is started. Raises RecipeError, DataError or RunError, also if no trial has finished.
    """
    limit = timeout and sections.seconds(timeout)
    plan = Plan.of(path, overrides, over, options or {})
    folder = output_dir or Path("sweeps") / plan.recipe(plan.first()).name
    with opened(plan, folder) as sweeping:
        say(sweeping.title)
        sweeping.run(limit or None)
    if not sweeping.ranked:
        reasons = [f"trial {trial.number}: {trial.user_attrs['reason']}" for trial in sweeping.done]
        raise RunError(f"{folder}: no trial has finished", *reasons)
    sweeping.write_best()
    draw(sweeping, sweeping.folder / PICTURE)
    return sweeping


@contextlib.contextmanager
def opened(plan: Plan, folder: Path) -> Iterator[Sweeping]:
    """Context manager that locks a directory and gives the new or resumed sweep in it.

    Raises RunError if its inputs have changed, RecipeError or DataError if its trainings could not start.
    """
    _check_installed()
    import optuna

    if distributed.world_size() > 1:
        raise RunError("a sweep is one process; start it without a launcher")
    recipe, splits = resolve.resolve(plan.recipe(plan.first()), plan.path.parent)
    if splits.validation is None:
        raise RecipeError("data.validation_size: a sweep ranks trials on a validation split; give a size above 0")
    ranking = arguments(recipe, validated=True)
    with locked(folder):
        origin = _claim(plan, folder, origin_of(recipe, plan.path.parent))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=f"sqlite:///{folder / DATABASE}",
            study_name="sweep",
            direction="maximize" if ranking.greater_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
            load_if_exists=True,
        )
        for values in plan.grid or ():
            study.enqueue_trial(values, skip_if_exists=True)
        metric = (ranking.metric_for_best_model or "score").removeprefix("eval_")
        sweeping = Sweeping(plan, folder, study, metric, recipe.seed, origin)
        try:
            yield sweeping
        finally:
            if not sweeping.has_started:
                shutil.rmtree(folder)


def _claim(plan: Plan, folder: Path, origin: Origin) -> Origin:
    """Return the origin of the sweep in a directory, or write that of a new sweep. Raises RunError if it differs."""
    space = {f"the range of {key}": str(values) for key, values in plan.space.items()}
    now = origin.without(plan.space.keys())
    now = replace(now, recipe={**now.recipe, **space})
    if (folder / ORIGIN).is_file():
        before = _begun_with(folder / ORIGIN)
        if changes := list(before.changes(now)):
            remedy = "undo that, or choose another --output-dir"
            raise RunError(*(f"{folder}: this sweep was started before, and {one}; {remedy}" for one in changes))
        return before
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        raise RunError(f"{folder}: exists and is not a sweep; choose another --output-dir")
    write_json(folder / ORIGIN, asdict(now))
    return now


def _begun_with(file: Path) -> Origin:
    try:
        return Origin(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise RunError(f"{file}: cannot be read; choose another --output-dir, or remove that folder") from None


def _check_installed() -> None:
    if find_spec("optuna") is None:
        raise RunError("a sweep needs Optuna; install it with: pip install 'hf_tasks[sweep]'")
