"""`hf-tasks recipes`: list, show and copy the shipped recipes; print the recipe schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("list")
def list_recipes() -> None:
    """List the shipped recipes."""
    from hf_tasks.core.shipped import shipped, title

    for name, path in shipped().items():
        print(f"{name:<32} {title(path)}")


@app.command("show")
def show_recipe(name: Annotated[str, typer.Argument(help="A shipped recipe.")]) -> None:
    """Print a shipped recipe."""
    from hf_tasks.core.shipped import find

    print(find(name).read_text(encoding="utf-8"), end="")


@app.command("copy")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A shipped recipe.")],
    to: Annotated[Path, typer.Argument(help="A file or folder.")] = Path(),
) -> None:
    """Copy a shipped recipe."""
    from hf_tasks.core.errors import RecipeError
    from hf_tasks.core.shipped import find

    source = find(name)
    target = to / source.name if to.is_dir() else to
    if target.exists():
        raise RecipeError(f"{target}: exists already; name another file")
    if not target.parent.is_dir():
        raise RecipeError(f"{target.parent}: there is no such folder; create it first")
    target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    print(target)


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of recipe files, for editors that complete and check YAML."""
    from hf_tasks.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(), indent=1))
