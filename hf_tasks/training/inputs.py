"""Record the origin of a training: its recipe with all defaults, hashes of its files, versions, machine."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from hf_tasks import data
from hf_tasks.core import distributed, hardware
from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import flatten
from hf_tasks.models import checkpoint_files
from hf_tasks.models.section import Model
from hf_tasks.recipe import Recipe
from hf_tasks.runs.origin import Origin
from hf_tasks.training import arguments

IN_BATCH_SIZE = ("per_device_train_batch_size", "gradient_accumulation_steps")
"""Keys that only divide the effective batch."""


def origin_of(recipe: Recipe, recipe_dir: Path | None) -> Origin:
    """Return the origin of a training that starts now, without files of the Hub. Raises DataError for missing files."""
    return Origin(
        recipe=effective(recipe),
        data=data.file_hashes(recipe.data, recipe_dir),
        base=checkpoint_files.hashes(recipe.model) if _in_a_folder(recipe.model) else {},
        packages=hardware.versions(),
        processes=distributed.world_size(),
        machine=hardware.numeric_environment(),
    )


def _in_a_folder(model: Model) -> bool:
    """Whether the checkpoint is a folder on this machine; False if it is missing, which loading reports later."""
    with suppress(RunError):
        return bool(model.name_or_path) and Path(resolve_checkpoint(model.name_or_path)).is_dir()
    return False


def completed(origin: Origin, recipe: Recipe, files: Mapping[str, Mapping[str, str]]) -> Origin:
    """Return the origin with the `files` of each split that were read and the checkpoint of the resolved recipe."""
    return replace(origin, data=files, base=checkpoint_files.hashes(recipe.model))


def effective(recipe: Recipe) -> dict[str, Any]:
    """Every key of a recipe with its value, dotted, given or by default; keys without a value are left out."""
    values = recipe.model_dump(exclude={"training", "method", "sweep", "seeds"})
    if recipe.data_seed == recipe.seed:
        values["data"] |= {"seed": None}  # as where it is not given
    values |= {"method": recipe.method.effective(), "training": _training(recipe)}
    plain = json.loads(json.dumps(values, default=str))
    return {key: value for key, value in flatten(plain, lists=True).items() if value not in (None, [], {})}


def _training(recipe: Recipe) -> dict[str, Any]:
    from transformers import TrainingArguments

    given = recipe.training.given()
    theirs = {field.name: field.default for field in fields(TrainingArguments) if field.default is not MISSING}
    values = theirs | arguments.values_of(recipe, validated=not recipe.data.no_validation)
    rows, micro_batch_size = arguments.batch_size(recipe), given.get("per_device_train_batch_size")
    values = {key: value for key, value in values.items() if key not in IN_BATCH_SIZE}
    if micro_batch_size and micro_batch_size * distributed.world_size() < rows:
        values["per_device_train_batch_size"] = micro_batch_size
    return values | {"batch_size": rows, "bf16": arguments.autocasts(recipe)}
