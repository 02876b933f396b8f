"""The arguments of transformers' Trainer: the defaults of hf_tasks, updated by a recipe's `training` section."""

import math
from typing import TYPE_CHECKING, Any

from hf_tasks import metrics
from hf_tasks.core import distributed, hardware
from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation
from hf_tasks.runs.status import CHECKPOINTS
from hf_tasks.training import trackers
from hf_tasks.training.batches import BatchSharding

if TYPE_CHECKING:
    from transformers import TrainingArguments

DEFAULTS: dict[str, Any] = {
    # Devlin et al. 2019, appendix A.3 (https://aclanthology.org/N19-1423): 2 to 4 epochs, batches of 16 or 32,
    # warm-up over the first tenth of the steps, weight decay 0.01.
    "num_train_epochs": 3,
    "batch_size": 32,
    "per_device_eval_batch_size": evaluation.BATCH_SIZE,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "logging_steps": 10,
    "save_total_limit": 1,
    "seed": 42,
}
WITH_VALIDATION = {"eval_strategy": "epoch", "load_best_model_at_end": True, "metric_for_best_model": "score"}
WITHOUT_VALIDATION = {"eval_strategy": "no", "save_strategy": "epoch"}


def values_of(recipe: Recipe, *, validated: bool) -> dict[str, Any]:
    """Return the defaults updated by the recipe's `training` section, with `batch_size`."""
    given = recipe.training.given()
    order = "group_by_length" if recipe.task.traits.mean_over_examples else "random"
    ours = DEFAULTS | {"learning_rate": recipe.method.learning_rate, "train_sampling_strategy": order}
    ours |= {"project": recipe.name}
    values: dict[str, Any] = ours | (WITH_VALIDATION if validated else WITHOUT_VALIDATION) | given
    if values["eval_strategy"] == "no":
        values |= {"load_best_model_at_end": False}
    elif "save_strategy" not in given:
        values |= {"save_strategy": values["eval_strategy"], "save_steps": values.get("eval_steps") or 500}
    if "greater_is_better" not in given:
        best = values.get("metric_for_best_model") or "score"
        best = recipe.task.metrics[0] if best == "score" and recipe.task.metrics else best
        values["greater_is_better"] = metrics.higher_is_better(best.removeprefix("eval_"))
    return values


def arguments(recipe: Recipe, *, validated: bool) -> "TrainingArguments":
    """Make the TrainingArguments of a recipe. Raises RecipeError if transformers refuses the combination."""
    import torch
    from transformers import TrainingArguments

    values = values_of(recipe, validated=validated)
    del values["batch_size"]
    trackers.named(recipe)
    values |= _divided(recipe) | {
        "report_to": "none",  # trackers.callbacks makes them
        "output_dir": str(recipe.output_dir / CHECKPOINTS),
        "restore_callback_states_from_checkpoint": True,
        "logging_nan_inf_filter": False,  # SafeTrainer raises an error for a loss that is not finite
        "bf16": False,  # TaskTrainer uses autocast itself, so that evaluation stays in float32
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
    if values.get("fp16") and not torch.cuda.is_available():
        raise RecipeError("training.fp16: needs a GPU; remove it (bf16 is used where the processor has it)")
    try:
        return TrainingArguments(**values)
    except (ValueError, TypeError, ImportError, RuntimeError) as e:
        raise RecipeError(f"training: {str(e).splitlines()[0]}") from None


def batch_size(recipe: Recipe) -> int:
    """Return the number of examples per optimizer step, over all processes and micro-batches."""
    given = recipe.training.given()
    if given.get("batch_size") or not given.keys() & {"per_device_train_batch_size", "gradient_accumulation_steps"}:
        return int(given.get("batch_size") or DEFAULTS["batch_size"])
    micro_batch_size = int(given.get("per_device_train_batch_size") or DEFAULTS["batch_size"])
    return micro_batch_size * int(given.get("gradient_accumulation_steps") or 1) * distributed.world_size()


def _divided(recipe: Recipe) -> dict[str, int]:
    """Return transformers' arguments for the sizes and number of micro-batches."""
    total, processes = batch_size(recipe), distributed.world_size()
    share = math.ceil(total / processes)
    micro_batch_size = min(recipe.training.given().get("per_device_train_batch_size") or share, share)
    micro_batches = BatchSharding(total, micro_batch_size, processes).micro_batches
    return {"per_device_train_batch_size": micro_batch_size, "gradient_accumulation_steps": micro_batches}


def autocasts(recipe: Recipe) -> bool:
    """Whether training uses bfloat16: `training.bf16`, by default if the hardware supports it."""
    given = recipe.training.given()
    return bool(given.get("bf16", hardware.bfloat16_is_fast() and not given.get("fp16")))
