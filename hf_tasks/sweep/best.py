"""The recipe with the best values, as a file that `train` takes: the user's own, changed where the values differ."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from hf_tasks import recipe as recipes
from hf_tasks import recipe_file
from hf_tasks.data.find import folders
from hf_tasks.errors import RecipeError
from hf_tasks.sweep.edit import edited
from hf_tasks.sweep.plan import Plan
from hf_tasks.sweep.space import Scalar


def write_best(plan: Plan, values: Mapping[str, Scalar], score: str, path: Path) -> None:
    """Write the recipe file with the values of a trial in their places, its comments and order kept where that is
    possible; else the same recipe without comments. `score`: what the trial reached."""
    changes = plan.changes(values)
    changes += _places(plan, changes, path.parent)
    source = recipe_file.read(plan.path, tuple(changes))
    text = edited(plan.path.read_text(encoding="utf-8-sig"), source.values)
    if recipes.validate(recipe_file.parse(text, str(path)), beside=path.parent) != recipes.validate(source):
        text = recipes.to_yaml(recipes.validate(source))
    heading = f"# {plan.path.name} with the values of a sweep's best trial: {score}. Comments below are older.\n"
    path.write_text(heading + text, encoding="utf-8")


def _places(plan: Plan, changes: list[str], folder: Path) -> list[str]:
    """What must be said for the files that the recipe names to be found from another folder."""
    source = recipe_file.read(plan.path, tuple(changes))
    with contextlib.suppress(RecipeError):
        recipes.validate(source, beside=folder)
        return []
    recipe, beside = recipes.validate(source), plan.path.parent
    data_dir = folders(recipe.data.data_dir, beside)[0] if recipe.data.data_dir else beside
    template = recipe.card.template and f"card.template={json.dumps(str((beside / recipe.card.template).resolve()))}"
    return [f"data.data_dir={json.dumps(str(data_dir.resolve()))}", *([template] if template else [])]
