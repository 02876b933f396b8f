"""The model card: a pure function of the resolved recipe and the results."""

import re
from pathlib import Path
from typing import Any

from hf_tasks.recipe import Recipe, to_yaml

_PACKAGE = Path(__file__).parent
FOLDER = next((f for f in (_PACKAGE / "cards", _PACKAGE.parent / "cards") if f.is_dir()), _PACKAGE / "cards")
TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")


def render(recipe: Recipe, results: dict[str, Any]) -> str:
    """The card as Markdown with YAML metadata; every number is one of `results`."""
    from huggingface_hub import ModelCardData
    from jinja2 import Environment, FileSystemLoader

    measured = {part: results[part] for part in ("validation", "test") if part in results}
    environment = Environment(
        loader=FileSystemLoader(FOLDER), trim_blocks=False, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["cell"] = cell
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=recipe.task.name,
        base_model=None if ":" in recipe.model.name_or_path else recipe.model.name_or_path,
        tags=["hf_tasks", recipe.method.name],
    )
    text = environment.get_template("card.md.jinja").render(
        card_data=data.to_yaml(),
        recipe=recipe,
        results=results,
        measured=measured,
        yaml=_yaml(recipe),
        usage=_usage(recipe),
    )
    return TOKEN.sub("hf_***", text)


def cell(text: str) -> str:
    """Text that cannot break out of a table cell or bring markup of its own."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _yaml(recipe: Recipe) -> str:
    """The recipe without the place on this machine where the run was written."""
    training = recipe.training.model_copy()
    training.model_fields_set.discard("output_dir")
    return to_yaml(recipe.model_copy(update={"training": training}))


def _usage(recipe: Recipe) -> str:
    arguments = ", ".join(f'{name}="..."' for name in recipe.task.usage())
    return f"run.predict({arguments})"
