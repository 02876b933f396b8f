"""The YAML metadata that the Hub reads, made and validated by huggingface_hub's own classes."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hf_tasks.metrics import hub_name, is_score
from hf_tasks.publish import redact
from hf_tasks.recipe import Recipe
from hf_tasks.runs import model_files

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

LIBRARIES = {"model": "transformers", "peft": "peft", "trained": "hf_tasks"}
"""How the model is saved -> the library that loads it."""
UNKNOWN = "the licence of the base model is not known here"
SPLITS = ("validation", "test")


def metadata(recipe: Recipe, results: Mapping[str, Any]) -> "ModelCardData":
    """The metadata; what nothing is known of is left out, never guessed."""
    from huggingface_hub import ModelCardData

    saved, card, base = model_files.saved_as(recipe), recipe.card, base_id(recipe, results)
    languages = list(card.languages)
    scores = list(_scores(recipe, results))
    return ModelCardData(
        language=languages[0] if len(languages) == 1 else languages or None,
        license=license(recipe, results),
        library_name=LIBRARIES[saved],
        pipeline_tag=recipe.task.name,
        base_model=base,
        base_model_relation=_relation(recipe) if base else None,
        datasets=datasets(recipe) or None,
        metrics=list(dict.fromkeys(score.metric_type for score in scores)) or None,
        tags=["hf_tasks", recipe.method.name],
        model_name=recipe.name if scores else None,
        eval_results=scores or None,
    )


def base_id(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The Hub id of the base model: of a folder or a package, the one that the recipe's card section names."""
    on_hub = results.get("base", {}).get("from") == "hub"
    return recipe.model.name_or_path if on_hub else recipe.card.base_model


def base_revision(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The commit of the base model that was trained, where it came from the Hub."""
    return recipe.model.revision if results.get("base", {}).get("from") == "hub" else None


def _relation(recipe: Recipe) -> str:
    """Whatever holds a few parameters beside those of its base model is an adapter of it."""
    return "finetune" if recipe.method.saves == "model" else "adapter"


def base_name(recipe: Recipe, results: Mapping[str, Any]) -> str:
    """What the card calls the base model: its id, or the recipe's name of it without folders of this machine."""
    return base_id(recipe, results) or str(redact.public(recipe.model.name_or_path))


def license(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """The recipe's licence, else the one that the base model's card states, else None."""
    return recipe.card.license or results.get("base", {}).get("license")


def license_unknown(results: Mapping[str, Any]) -> str:
    """Why no licence of the base model is known; "" where there is no base model."""
    base = results.get("base", {})
    reasons = {
        "none": "the base model has no card",
        "read": "the card of the base model states none",
        "broken": "the card of the base model cannot be read",
        "unreached": "the Hub could not be asked for the card of the base model",
    }
    return "" if base.get("from") == "scratch" else reasons.get(base.get("card", ""), UNKNOWN)


def datasets(recipe: Recipe) -> list[str]:
    """The Hub ids of the data."""
    return [*dict.fromkeys([*([recipe.data.path] if recipe.data.path else []), *recipe.card.datasets])]


def data_name(recipe: Recipe) -> str | None:
    """What people call the data, where that is known."""
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
    """The commit of a dataset of the Hub, whose place is `id@commit`."""
    commits = [re.search(r"@([0-9a-f]{40})$", place) for place in files]
    return next((found[1] for found in commits if found), None)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
