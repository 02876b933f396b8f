"""Renders the text of a card from its templates."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks.core.errors import RecipeError
from hf_tasks.metrics import VALUES
from hf_tasks.publish import plots, redact
from hf_tasks.publish.card import citations, markdown, metadata
from hf_tasks.publish.card.facts import worth_showing
from hf_tasks.publish.card.sandbox import plain, sandbox
from hf_tasks.publish.results_view import SPLITS, Table, headline, signatures, tables
from hf_tasks.publish.views import view_of
from hf_tasks.recipe import Recipe
from hf_tasks.recipe.sections import Card
from hf_tasks.runs import model_files

_PACKAGE = Path(__file__).parents[2]
_PLACES = (_PACKAGE / "cards", _PACKAGE.parent / "cards")
LOGGED = 20
"""Maximum number of rows of the training log on a card."""
TEMPLATES = next((place for place in _PLACES if place.is_dir()), _PLACES[0]) / "templates"


def render(
    recipe: Recipe, results: Mapping[str, Any], *, model_id: str = metadata.MODEL_ID, folder: Path | None = None
) -> str:
    """The card as Markdown with YAML metadata; every number comes from `results`.

    `model_id`: the id of the model on the Hub; `folder`: the folder of the recipe's own template, which is ignored
    without a folder. Raises RecipeError if that template cannot be used.
    """
    from jinja2 import TemplateError

    own = recipe.card.template if folder else None
    name = own or view_of(recipe.task).card_template(recipe.task)
    environment = sandbox(TEMPLATES, folder) if own else _shipped()
    try:
        text = environment.get_template(name).render(plain(_values(recipe, results, model_id)))
    except TemplateError as e:
        reason = f"{type(e).__name__}: {e.message}" if e.message else type(e).__name__
        raise RecipeError(f"card.template: {name} cannot be used ({reason}); correct it or remove the key") from None
    return redact.redacted(text)


@cache
def _shipped() -> Any:
    """The environment of the shipped templates, which are compiled once."""
    return sandbox(TEMPLATES)


def snippet_input(recipe: Recipe, results: Mapping[str, Any]) -> dict[str, Any]:
    """The input of the snippets, by column: that of the recorded example, else placeholders."""
    if "example" in results:
        given, columns = results["example"]["input"], recipe.task.columns
        return {name: given[name] for name in (*columns.required, *columns.optional) if name in given}
    return dict.fromkeys(recipe.task.traits.inputs, "...")


def printed(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The output of the snippets, from the recorded prediction; None if there is none."""
    return view_of(recipe.task).printed(results["example"]["prediction"]) if "example" in results else None


def _markdown(table: Table) -> dict[str, Any]:
    """A table of results with its cells as Markdown."""
    rows = [[markdown.cell(cell) for cell in row] for row in table.rows]
    if not table.title:
        for row, (name, *_) in zip(rows, table.rows, strict=True):
            row[0] = markdown.code(name) if name in VALUES else row[0]
    return {"title": table.title, "columns": list(table.columns), "rows": rows, "numeric": table.numeric}


def _values(recipe: Recipe, results: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """The variables of a template, as plain data."""
    measured = {split: results[split] for split in SPLITS if split in results}
    output = printed(recipe, results)
    best = headline(results)
    given = recipe.training.given()
    return {
        "recipe": recipe.model_dump(mode="json") | {"seed": recipe.seed},
        "task": recipe.task.model_dump(mode="json"),
        "card": recipe.card.model_dump(mode="json"),
        "results": results,
        "headline": best and vars(best),
        "intervals": any("intervals" in results.get(split, {}) for split in SPLITS),
        "bootstrap": "ended" not in results.get("training", {}),  # older results, whose intervals are percentiles
        "measured": measured,
        "tables": {split: [_markdown(table) for table in tables(values)] for split, values in measured.items()},
        "signatures": {split: signatures(values) for split, values in measured.items()},
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
        "pooling": model_files.pooling_of(recipe),
        "generation": _generation(recipe),
        "input": snippet_input(recipe, results),
        "tokens": list(results.get("example", {}).get("prediction", {}).get("tokens", ["Some", "words"])),
        "output": None if output is None else Markup(output),
        "plain_output": None if output is None or _not_plain_generate(recipe) else Markup(output),
        "splits": _splits(recipe, results),
        "chosen": {key: value for key, value in redact.public(given).items() if key not in redact.LOCAL},
        "arguments": worth_showing(results.get("arguments", {})),
        "log": _log(results),
        "baseline": results.get("baseline"),
        "checked": results.get("checked"),
        "labels": _labels(results.get("labels", {})),
        "samples": results.get("samples", [])[: recipe.card.samples],
        "yaml": Markup(redact.to_yaml(_with_public_base(recipe, results).model_copy(update={"card": Card()}))),
        "has_curve": plots.has_curve(results),
        "curve_picture": f"{plots.FOLDER}/{plots.CURVE}",
        "layers_picture": f"{plots.FOLDER}/{plots.LAYERS}",
        "citations": [Markup(entry) for entry in citations.citations(recipe, dict(results))],
    }


def _splits(recipe: Recipe, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counts and the file names of each split."""
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
    """The recipe with the Hub id of its base model, which others need if only the trained parameters are saved."""
    base = metadata.base_id(recipe, results)
    if model_files.saved_as(recipe) == "model" or base is None:
        return recipe
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"name_or_path": base})})


def _labels(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any] | None:
    """How often each label occurs in each split, the most frequent one of train first."""
    if not counts:
        return None
    names = sorted(set().union(*counts.values()), key=lambda name: (-counts.get("train", {}).get(name, 0), name))
    rows = [{"label": name, "counts": [one.get(name, 0) for one in counts.values()]} for name in names]
    return {"splits": list(counts), "rows": rows}


def _log(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each evaluation, at most LOGGED of them and the best one: its step, the mean training loss since the
    previous row, the validation loss and score."""
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
    """Arguments of a plain `generate` that are in no generation_config.json beside the weights."""
    if recipe.decoding is None or model_files.saved_as(recipe) == "model":
        return {}
    return {"max_new_tokens": recipe.decoding.max_new_tokens} | recipe.decoding.options()


def _not_plain_generate(recipe: Recipe) -> bool:
    """Whether hf_tasks predicts another text than a plain `generate`."""
    return recipe.decoding is not None and recipe.decoding.name not in ("greedy", "beam")
