"""Where a run comes from: the machine, the versions, the recipe's place and revision, the seeds."""

import subprocess
from pathlib import Path
from typing import Any

from hf_tasks.core import hardware
from hf_tasks.recipe import Recipe


def environment(recipe: Recipe, recipe_dir: Path | None) -> dict[str, Any]:
    """What environment.json says; `beside`: the folder of the recipe file."""
    given = recipe.training.given()
    return hardware.describe() | {
        "recipe_folder": str(recipe_dir.resolve()) if recipe_dir else None,
        "recipe_revision": git_revision(recipe_dir) if recipe_dir else None,
        "seeds": {"seed": recipe.seed, "data_seed": given.get("data_seed") or recipe.seed},
    }


def git_revision(folder: Path) -> str | None:
    """The commit that a folder is at, `-dirty` where something is not committed; None outside of git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
