"""The YAML metadata of a card, made and validated by huggingface_hub's own classes."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hf_tasks.metrics import hub_name, is_score
from hf_tasks.publish import redact
from hf_tasks.publish.results_view import SPLITS, is_number
from hf_tasks.recipe import Recipe
from hf_tasks.runs import model_files

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

LIBRARIES = {"model": "transformers", "peft": "peft", "trained": "hf_tasks"}
"""How the model is saved -> the library that loads it."""
UNKNOWN = "the licence of the base model is unknown"
MODEL_ID = "ORG/NAME"
"""Placeholder for the id of a model that is not on the Hub yet."""


def metadata(recipe: Recipe, results: Mapping[str, Any]) -> "ModelCardData":
    """The metadata of a card; unknown fields are left out, never guessed."""
    from huggingface_hub import ModelCardData

    saved, card, base = model_files.saved_as(recipe), recipe.card, base_id(recipe, results)
    languages = list(card.languages)
    embeds = recipe.task.model_spec.embeds and saved != "trained"
    scores = list(_scores(recipe, results))
    return ModelCardData(
        language=languages[0] if len(languages) == 1 else languages or None,
        license=license(recipe, results),
        library_name="sentence-transformers" if embeds else LIBRARIES[saved],
        pipeline_tag=recipe.task.traits.pipeline_tag or recipe.task.name,
        base_model=base,
        base_model_relation=_relation(recipe) if base else None,
        datasets=datasets(recipe) or None,
        metrics=list(dict.fromkeys(score.metric_type for score in scores)) or None,
        tags=["hf_tasks", recipe.method.name, *(["sentence-transformers"] if embeds else [])],
        model_name=recipe.name if scores else None,
        eval_results=scores or None,
    )


def base_id(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The Hub id of the base model; of a folder or a package `card.base_model` of the recipe."""
    on_hub = results.get("base", {}).get("from") == "hub"
    return recipe.model.name_or_path if on_hub else recipe.card.base_model


def base_revision(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The commit of the base model on the Hub."""
    on_hub = results.get("base", {}).get("from") == "hub"
    return recipe.model.revision if on_hub else recipe.card.base_revision


def _relation(recipe: Recipe) -> str:
    """A run that saves only its trained parameters is an adapter of its base model."""
    return "finetune" if recipe.method.saves == "model" else "adapter"


def base_name(recipe: Recipe, results: Mapping[str, Any]) -> str:
    """The base model as named on the card: its Hub id, or the recipe's path without local folders."""
    return base_id(recipe, results) or str(redact.public(recipe.model.name_or_path))


def license(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The licence in the recipe, else in the card of the base model, else None."""
    return recipe.card.license or results.get("base", {}).get("license")


def license_unknown(results: Mapping[str, Any]) -> str:
    """Why the licence of the base model is unknown; "" for a model from scratch."""
    base = results.get("base", {})
    reasons = {
        "none": "the base model has no card",
        "read": "the card of the base model states none",
        "broken": "the card of the base model cannot be read",
        "unreached": "the card of the base model could not be downloaded",
    }
    return "" if base.get("from") == "scratch" else reasons.get(base.get("card", ""), UNKNOWN)


def datasets(recipe: Recipe) -> list[str]:
    """The Hub ids of the datasets."""
    return [*dict.fromkeys([*([recipe.data.path] if recipe.data.path else []), *recipe.card.datasets])]


def data_name(recipe: Recipe) -> str | None:
    """The name of the data, if known."""
    return recipe.card.data_name or next(iter(datasets(recipe)), None)


def _scores(recipe: Recipe, results: Mapping[str, Any]) -> Iterator["EvalResult"]:
    from huggingface_hub import EvalResult

    for split in [split for split in SPLITS if split in results]:
        values, facts = results[split], results.get("data", {}).get(split, {})
        for name, value in values.items():
            if not is_score(name) or not is_number(value) or not math.isfinite(value):
                continue
            yield EvalResult(
                task_type=recipe.task.name,
                dataset_type=next(iter(datasets(recipe)), "local"),
                dataset_name=data_name(recipe) or f"data of {recipe.name}",
                dataset_config=recipe.data.name,
                dataset_revision=_commit(facts.get("files", {})) or recipe.data.revision,
                dataset_split=split,
                dataset_args={
                    "examples": values["n"],
                }
                | ({} if recipe.data.path else {"sha256": [digest[:12] for digest in facts.get("files", {}).values()]}),
                metric_type=hub_name(name),
                metric_name=name,
                metric_value=value,
            )


def _commit(files: Mapping[str, str]) -> str | None:
    """The commit of a dataset of the Hub, from its place `id@commit`."""
    commits = [re.search(r"@([0-9a-f]{40})$", place) for place in files]
    return next((found[1] for found in commits if found), None)
