"""Fine-tune pretrained language models from one recipe file to a measured model.

>>> import hf_tasks
>>> run = hf_tasks.train("sentiment_sst2_minilm", ["training.num_train_epochs=1"])
>>> run.predict(text="A quiet, moving film.")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import DataError, RecipeError, RunError, UserError

if TYPE_CHECKING:
    from hf_tasks.publish.hub.push import Pushed
    from hf_tasks.recipe import Recipe
    from hf_tasks.runs.run import Run
    from hf_tasks.training.seeds import SeedRuns

__all__ = ["DataError", "RecipeError", "RunError", "UserError", "check", "load_run", "load_runs", "push", "train"]
__version__ = "0.1.0"


def train(recipe: "str | Path | Recipe", overrides: Sequence[str] = (), *, overwrite: bool = False) -> "Run | SeedRuns":
    """Train a recipe (a file, a shipped recipe's name, or a Recipe) and return the saved run; the runs, where it names
    `seeds`.

    `overrides` are `dotted.key=value` strings. Raises RecipeError, DataError or RunError.
    """
    from hf_tasks.training import train as train_recipe
    from hf_tasks.training.seeds import train as train_seeds

    loaded, recipe_dir = _recipe(recipe, overrides)
    if loaded.seeds is not None:
        return train_seeds(loaded, recipe_dir=recipe_dir, overwrite=overwrite)
    return train_recipe(loaded, recipe_dir=recipe_dir, overwrite=overwrite)


def check(recipe: "str | Path | Recipe", overrides: Sequence[str] = (), *, dry_run: bool = True) -> list[str]:
    """All that can be known of a recipe before training, in lines; `dry_run`: a little of the training is really done.

    Raises RecipeError, DataError or RunError.
    """
    from hf_tasks.training.check import check as check_recipe

    loaded, recipe_dir = _recipe(recipe, overrides)
    return check_recipe(loaded, recipe_dir=recipe_dir, dry_run=dry_run)


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> "Run":
    """The run in a directory, or of the Hub (ORG/NAME, ORG/NAME@REVISION): `load_run(path).predict(rows)`,
    `.evaluate(rows)`. `overrides`: `decoding.key=value`, for a run that writes texts. Raises RunError."""
    from hf_tasks.publish.hub.fetch import folder_of
    from hf_tasks.runs.run import Run

    return Run.load(folder_of(path), overrides)


def load_runs(paths: Mapping[str, str | Path]) -> "dict[str, Run]":
    """Several runs under names of their own, what they have in common in memory once. Raises RunError.

    >>> runs = load_runs({"intent": "runs/intent", "sentiment": "runs/sentiment"})
    >>> runs["sentiment"].predict(text="A quiet, moving film.")
    """
    from hf_tasks.publish.hub.fetch import folder_of
    from hf_tasks.runs.shared_weights import load_runs as load_all

    return load_all({name: folder_of(path) for name, path in paths.items()})


def push(run_path: str | Path, repo_id: str, **options: Any) -> "Pushed":
    """Upload a run to the Hub, into a new private repository unless the options of `hub.push.push` say otherwise:
    private, update, revision, tag, dry_run, predictions. Raises RunError."""
    from hf_tasks.publish.hub.push import push as push_run

    return push_run(run_path, repo_id, **options)


def _recipe(recipe: "str | Path | Recipe", overrides: Sequence[str]) -> "tuple[Recipe, Path | None]":
    from hf_tasks import recipe as recipes
    from hf_tasks.core.shipped import find

    if isinstance(recipe, recipes.Recipe):
        return recipe, None
    path = find(recipe)
    return recipes.load(path, overrides), path.parent
