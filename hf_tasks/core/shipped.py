"""The shipped recipes: in the folder `recipes/` next to the package in a checkout, inside the package in a wheel."""

import re
from pathlib import Path

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import did_you_mean

_PACKAGE = Path(__file__).parents[1]
FOLDER = next((f for f in (_PACKAGE / "recipes", _PACKAGE.parent / "recipes") if f.is_dir()), _PACKAGE / "recipes")


def shipped() -> dict[str, Path]:
    """Return {name: file} of the shipped recipes, sorted by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(recipe: str | Path) -> Path:
    """Return the file of a recipe given by its path or by the name of a shipped recipe. Raises RecipeError."""
    path = Path(recipe)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(f"{path}: is a folder; give a recipe file (.yaml)")
    known = shipped()
    if str(recipe) in known:
        return known[str(recipe)]
    hint = did_you_mean(str(recipe), known) or "; see: hf-tasks recipes list"
    raise RecipeError(f"{recipe}: there is no such file and no shipped recipe of that name{hint}")


def find_suite(suite: str | Path) -> Path:
    """Return the file of a suite given by its path or by the name of a shipped suite. Raises RecipeError."""
    path = Path(suite)
    if path.is_file():
        return path
    known = {file.stem: file for file in sorted((FOLDER / "suites").glob("*.yaml"))}
    if str(suite) in known:
        return known[str(suite)]
    raise RecipeError(f"{suite}: there is no such file and no shipped suite of that name (shipped: {', '.join(known)})")


def title(path: Path) -> str:
    """Return the first line of a recipe's opening comment, without the citation."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return re.sub(r" \([A-Z][^()]* \d{4}.*", "", first.removeprefix("#")).strip()
