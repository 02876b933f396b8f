"""The card's text from its templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks.core.errors import RecipeError
from hf_tasks.publish import redact
from hf_tasks.publish.card import citations, metadata, pictures, tables, usage
from hf_tasks.publish.card.facts import worth_showing
from hf_tasks.publish.card.sandbox import plain, sandbox
from hf_tasks.publish.views import view_of
from hf_tasks.recipe import Recipe
from hf_tasks.recipe.sections import Card
from hf_tasks.runs import model_files

_PACKAGE = Path(__file__).parents[2]
_PLACES = (_PACKAGE / "cards", _PACKAGE.parent / "cards")
LOGGED = 20
"""Rows of the log on a card."""
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
    name = own or view_of(recipe.task).card_template(recipe.task)
    environment = sandbox(TEMPLATES, folder if own else None)
    try:
        text = environment.get_template(name).render(plain(_values(recipe, results, model_id)))
    except TemplateError as e:
        reason = f"{type(e).__name__}: {e.message}" if e.message else type(e).__name__
        raise RecipeError(f"card.template: {name} cannot be used ({reason}); mend it or remove the key") from None
    return redact.redacted(text)


def _values(recipe: Recipe, results: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """What a template can use: plain data."""
    measured = {split: results[split] for split in metadata.SPLITS if split in results}
    output = usage.printed(recipe, results)
    given = recipe.training.given()
    return {
        "recipe": recipe.model_dump(mode="json") | {"seed": recipe.seed},
        "task": recipe.task.model_dump(mode="json"),
        "card": recipe.card.model_dump(mode="json"),
        "results": results,
        "headline": tables.headline(results),
        "intervals": any("intervals" in results.get(split, {}) for split in metadata.SPLITS),
        "measured": measured,
        "tables": {split: [vars(table) for table in tables.tables(values)] for split, values in measured.items()},
        "signatures": {split: tables.texts(values) for split, values in measured.items()},
        "metadata": Markup(metadata.metadata(recipe, results).to_yaml()),
        "license": metadata.license(recipe, results),
        "license_unknown": metadata.license_unknown(results),
        "datasets": metadata.datasets(recipe),
        "data_name": metadata.data_name(recipe),
        "base_name": metadata.base_name(recipe, results),
        "base_id": metadata.base_id(recipe, results),
        "base_revision": metadata.base_revision(recipe, results),
        "on_hub": recipe.data.path is not None,
        "model_id": model_id,
        "auto_class": recipe.task.model_spec.auto_class,
        "saved_as": model_files.saved_as(recipe),
        "generation": _generation(recipe),
        "input": usage.asked(recipe, results),
        "tokens": usage.tokens(results),
        "output": None if output is None else Markup(output),
        "plain_output": None if output is None or _chosen_by_us(recipe) else Markup(output),
        "parts": _parts(recipe, results),
        "chosen": {key: value for key, value in redact.public(given).items() if key not in redact.LOCAL},
        "arguments": worth_showing(results.get("arguments", {})),
        "log": _log(results),
        "baseline": results.get("baseline"),
        "checked": results.get("checked"),
        "labels": _labels(results.get("labels", {})),
        "samples": results.get("samples", [])[: recipe.card.samples],
        "yaml": Markup(redact.to_yaml(_with_public_base(recipe, results).model_copy(update={"card": Card()}))),
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
            "files": {
                file if recipe.data.path else redact.public(file).rpartition("/")[2]: digest
                for file, digest in split["files"].items()
            },
        }
        | {key: split[key] for key in ("examples", "features", "dropped", "tokens_cut")}
        for name, split in facts.items()
    ]


def _with_public_base(recipe: Recipe, results: Mapping[str, Any]) -> Recipe:
    """The recipe as it is pushed: where only a part of the model is saved, its base has the name that others know."""
    base = metadata.base_id(recipe, results)
    if model_files.saved_as(recipe) == "model" or base is None:
        return recipe
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"name_or_path": base})})


def _labels(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any] | None:
    """How often each label occurs in each split, the most frequent one of train first."""
    if not counts:
        return None
    names = sorted(set().union(*counts.values()), key=lambda name: (-counts["train"].get(name, 0), name))
    rows = [{"label": name, "counts": [one.get(name, 0) for one in counts.values()]} for name in names]
    return {"parts": list(counts), "rows": rows}


def _log(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The course of the training, a row for each evaluation, at most LOGGED of them and the chosen one: its step, the
    mean training loss since the evaluation before, the validation loss and score."""
    curve, best = results.get("curve", {}), results.get("training", {}).get("best_step")
    evaluations = curve.get("validation", [])
    every, rows, before = -(-len(evaluations) // LOGGED), [], 0
    for number, (step, loss, score) in enumerate(evaluations, 1):
        if number % every and number != len(evaluations) and step != best:
            continue
        losses = [value for at, value in curve["train"] if before < at <= step]
        mean = sum(losses) / len(losses) if losses else None
        rows.append({"step": step, "train": mean, "validation": loss, "score": score, "chosen": step == best})
        before = step
    return rows


def _generation(recipe: Recipe) -> dict[str, Any]:
    """What a plain `generate` must be told, where no generation_config.json beside the weights says it."""
    if recipe.decoding is None or model_files.saved_as(recipe) == "model":
        return {}
    return {"max_new_tokens": recipe.decoding.max_new_tokens} | recipe.decoding.options()


def _chosen_by_us(recipe: Recipe) -> bool:
    """Whether the text that hf_tasks predicts is not the one that a plain `generate` gives."""
    return recipe.decoding is not None and recipe.decoding.name not in ("greedy", "beam")
