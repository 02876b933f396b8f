"""The arguments of transformers' Trainer: a recipe's `training` section over our defaults."""

from typing import TYPE_CHECKING, Any

from hf_tasks import evaluation, hardware, metrics
from hf_tasks.errors import RecipeError
from hf_tasks.recipe import Recipe

if TYPE_CHECKING:
    from transformers import TrainingArguments

DEFAULTS: dict[str, Any] = {
    # Devlin et al. 2019, appendix A.3 (https://aclanthology.org/N19-1423): 2 to 4 epochs, batches of 16 or 32,
    # warm-up over the first tenth of the steps, weight decay 0.01.
    "num_train_epochs": 3,
    "per_device_train_batch_size": 32,
    "per_device_eval_batch_size": evaluation.BATCH_SIZE,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "logging_steps": 10,
    "save_total_limit": 1,
    "train_sampling_strategy": "group_by_length",
    "seed": 42,
    "report_to": "none",
}
WITH_VALIDATION = {"eval_strategy": "epoch", "load_best_model_at_end": True, "metric_for_best_model": "score"}
WITHOUT_VALIDATION = {"eval_strategy": "no", "save_strategy": "no"}


def arguments(recipe: Recipe, *, validated: bool) -> "TrainingArguments":
    """The recipe's `training` section over our defaults. RecipeError where transformers refuses the combination."""
    import torch
    from transformers import TrainingArguments

    given = recipe.training.given()
    method = {"learning_rate": recipe.method.learning_rate}
    values: dict[str, Any] = DEFAULTS | method | (WITH_VALIDATION if validated else WITHOUT_VALIDATION) | given
    if values["eval_strategy"] == "no":
        values |= {"load_best_model_at_end": False}
    elif "save_strategy" not in given:
        values |= {"save_strategy": values["eval_strategy"], "save_steps": values.get("eval_steps") or 500}
    if "greater_is_better" not in given:
        best = values.get("metric_for_best_model") or "score"
        best = recipe.task.metrics[0] if best == "score" else best
        values["greater_is_better"] = not best.removeprefix("eval_").endswith(metrics.LOWER_IS_BETTER)
    values |= {
        "output_dir": str(recipe.output_dir / "checkpoints"),
        "bf16": False,  # TaskTrainer casts by itself, so that evaluation stays in float32
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


def autocasts(recipe: Recipe) -> bool:
    """Whether training computes in bfloat16: as the recipe says, else where the hardware does it fast."""
    given = recipe.training.given()
    return bool(given.get("bf16", hardware.bfloat16_is_fast() and not given.get("fp16")))
