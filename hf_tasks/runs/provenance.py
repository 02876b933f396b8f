"""environment.json: machine, package versions, the recipe's folder and revision, seeds."""

import subprocess
from pathlib import Path
from typing import Any

from hf_tasks.core import hardware
from hf_tasks.recipe import Recipe


def environment(recipe: Recipe, recipe_dir: Path | None) -> dict[str, Any]:
    """Return the content of environment.json; `recipe_dir`: the folder of the recipe file."""
    given = recipe.training.given()
    return hardware.describe() | {
        "recipe_folder": str(recipe_dir.resolve()) if recipe_dir else None,
        "recipe_revision": git_revision(recipe_dir) if recipe_dir else None,
        "seeds": {"seed": recipe.seed, "data_seed": given.get("data_seed") or recipe.seed},
    }


def git_revision(folder: Path) -> str | None:
    """Return the git commit of a folder, with `-dirty` for uncommitted changes; None outside of git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
