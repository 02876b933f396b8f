"""The card's text from its templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks import artifacts
from hf_tasks.card import citations, metadata, pictures, redact, tables, usage
from hf_tasks.card.sandbox import plain, sandbox
from hf_tasks.card_section import Card
from hf_tasks.errors import RecipeError
from hf_tasks.recipe import Recipe

_PACKAGE = Path(__file__).parent.parent
_PLACES = (_PACKAGE / "cards", _PACKAGE.parent / "cards")
TEMPLATES = next((place for place in _PLACES if place.is_dir()), _PLACES[0]) / "templates"


def render(
    recipe: Recipe, results: Mapping[str, Any], *, model_id: str = usage.MODEL_ID, folder: Path | None = None
) -> str:
    """The card as Markdown with YAML metadata; every number is one of `results`.

    `model_id`: the model's id on the Hub, where it has one; `folder`: where the recipe's own template is, which is not
    used without a folder. Raises RecipeError where that template cannot be used.
    """
    from jinja2 import TemplateError

    own = recipe.card.template if folder else None
    name = own or f"{recipe.task.name}.md.jinja"
    environment = sandbox(TEMPLATES, folder if own else None)
    try:
        text = environment.get_template(name).render(plain(_values(recipe, results, model_id)))
    except TemplateError as e:
        reason = f"{type(e).__name__}: {e.message}" if e.message else type(e).__name__
        raise RecipeError(f"card.template: {name} cannot be used ({reason}); mend it or remove the key") from None
    return redact.redacted(text)


def _values(recipe: Recipe, results: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """What a template can use: plain data."""
    measured = {part: results[part] for part in metadata.PARTS if part in results}
    output = usage.printed(recipe, results)
    given, head = recipe.training.given(), recipe.task.head_config()
    return {
        "recipe": recipe.model_dump(mode="json") | {"seed": recipe.seed},
        "task": recipe.task.model_dump(mode="json") | {"auto_model": recipe.task.auto_model},
        "card": recipe.card.model_dump(mode="json"),
        "results": results,
        "headline": tables.headline(results),
        "intervals": any("intervals" in results.get(part, {}) for part in metadata.PARTS),
        "measured": measured,
        "tables": {part: [vars(table) for table in tables.tables(values)] for part, values in measured.items()},
        "signatures": {part: tables.texts(values) for part, values in measured.items()},
        "metadata": Markup(metadata.metadata(recipe, results).to_yaml()),
        "license": metadata.license(recipe, results),
        "license_unknown": metadata.license_unknown(results),
        "datasets": metadata.datasets(recipe),
        "data_name": metadata.data_name(recipe),
        "base_name": metadata.base_name(recipe, results),
        "model_id": model_id,
        "head": {key: Markup(repr(value)) for key, value in head.items() if value is not None},
        "saved_as": artifacts.saved_as(recipe),
        "generation": _generation(recipe),
        "input": usage.asked(recipe, results),
        "tokens": usage.tokens(results),
        "output": None if output is None else Markup(output),
        "plain_output": None if output is None or _chosen_by_us(recipe) else Markup(output),
        "parts": _parts(recipe, results),
        "chosen": {key: value for key, value in redact.public(given).items() if key not in redact.LOCAL},
        "yaml": Markup(redact.to_yaml(recipe.model_copy(update={"card": Card()}))),
        "has_curve": pictures.has_curve(results),
        "curve_picture": f"{pictures.FOLDER}/{pictures.CURVE}",
        "layers_picture": f"{pictures.FOLDER}/{pictures.LAYERS}",
        "citations": [Markup(entry) for entry in citations.citations(recipe, dict(results))],
    }


def _parts(recipe: Recipe, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each part of the data what is on the card: counts, and its files by name."""
    facts = results.get("data", {})
    held_out = recipe.data.validation is None
    return [
        {
            "name": name,
            "held_out": name == "validation" and held_out,
            "files": {redact.public(file).rpartition("/")[2]: digest for file, digest in part["files"].items()},
        }
        | {key: part[key] for key in ("examples", "features", "dropped", "tokens_cut")}
        for name, part in facts.items()
    ]


def _generation(recipe: Recipe) -> dict[str, Any]:
    """What a plain `generate` must be told, where no generation_config.json beside the weights says it."""
    if recipe.decoding is None or artifacts.saved_as(recipe) == "model":
        return {}
    return {"max_new_tokens": recipe.decoding.max_new_tokens} | recipe.decoding.options()


def _chosen_by_us(recipe: Recipe) -> bool:
    """Whether the text that hf_tasks predicts is not the one that a plain `generate` gives."""
    return recipe.decoding is not None and recipe.decoding.name not in ("greedy", "beam")
