"""The `training` and `early_stopping` sections of a recipe."""

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hf_tasks.core.section import Section, enum_values, mirror

if TYPE_CHECKING:
    _Arguments = Section
else:
    _Arguments = mirror("transformers.training_args", "TrainingArguments")

CHOICES = {
    "lr_scheduler_type": ("transformers.trainer_utils", "SchedulerType"),
    "optim": ("transformers.training_args", "OptimizerNames"),
    "eval_strategy": ("transformers.trainer_utils", "IntervalStrategy"),
    "logging_strategy": ("transformers.trainer_utils", "IntervalStrategy"),
    "save_strategy": ("transformers.trainer_utils", "SaveStrategy"),
}
"""Key -> (module, class) of the enumeration in transformers with its values."""
LARGEST_RATE = 1
"""A higher learning rate is a mistake; the usual methods need at most 0.3."""
POSITIVE = {"learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps"}
NOT_NEGATIVE = {"warmup_steps", "weight_decay", "max_grad_norm", "eval_delay"}
INTERVALS = {"logging_steps", "eval_steps", "save_steps"}
NOT_HERE = {
    "hub_token": "a token does not belong in a recipe; remove it, log in with: hf auth login",
    "push_to_hub": "the trainer does not push; remove it, and add a section hub: {repo_id: ORG/NAME}",
    "label_smoothing_factor": "remove it; tasks that generate text have task.label_smoothing",
    "resume_from_checkpoint": "the same command resumes an interrupted training; remove it",
    "auto_find_batch_size": "a step that does not fit in memory is divided automatically; remove it",
    "enable_jit_checkpoint": "a signal to stop always saves a checkpoint; remove it",
    "save_only_model": "resuming needs complete checkpoints; remove it",
    "ignore_data_skip": "a resumed training must see each example as often as an uninterrupted one; remove it",
    "dataloader_drop_last": "all examples are used for training; remove it",
}
"""Keys of TrainingArguments that have no effect here or do harm -> message."""


class Training(_Arguments):
    """transformers.TrainingArguments, under its own key names, and the effective batch size."""

    batch_size: int | None = Field(None, ge=1)
    """Examples per optimizer step over all processes (default 32); per_device_train_batch_size limits how many of them
    a device computes at a time."""

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield (key, message) for values and combinations of keys that are impossible."""
        given = self.given()
        yield from _numbers(given)
        yield from _choices(given)
        if (given.get("seed") or 0) < 0:
            yield ("seed",), f"must be 0 or more; found {given['seed']}"
        for key in given.keys() & NOT_HERE.keys():
            if given[key]:
                yield (key,), NOT_HERE[key]
        if given.get("batch_size") and given.get("gradient_accumulation_steps"):
            text = "is computed from batch_size, the number of processes and per_device_train_batch_size; remove it"
            yield ("gradient_accumulation_steps",), text
        if given.get("train_sampling_strategy") == "batch_rebalance":
            others = '"group_by_length", "random" or "sequential"'
            yield ("train_sampling_strategy",), f"batches must not depend on the number of processes; choose {others}"
        if given.get("bf16") and given.get("fp16"):
            yield ("fp16",), "bf16 and fp16 cannot be combined; keep one of them"


def _numbers(given: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (key, message) for numbers out of range."""
    for key in sorted(POSITIVE & given.keys()):
        if not 0 < (given[key] or 0) < float("inf"):
            yield (key,), f"must be a number above 0; found {given[key]}"
    for key in sorted(INTERVALS & given.keys()):
        if given[key] is not None and not 0 < given[key] < float("inf"):
            yield (key,), f"must be a number of steps above 0, or a share of all steps below 1; found {given[key]}"
    for key in sorted(NOT_NEGATIVE & given.keys()):
        if (given[key] or 0) < 0:
            yield (key,), f"must be 0 or more; found {given[key]}"
    if (rate := given.get("learning_rate") or 0) != float("inf") and rate > LARGEST_RATE:
        yield ("learning_rate",), f"{rate:g} is far too high; usual values are from 1e-6 to 0.3, e.g. 2e-5"
    if (steps := given.get("max_steps")) is not None and steps != -1 and steps < 1:
        yield ("max_steps",), f"must be 1 or more, or -1 for num_train_epochs; found {steps}"
    if given.get("output_dir") == "":
        yield ("output_dir",), "is empty; name a folder, or remove it"


def _choices(given: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (key, message) for values that transformers does not have."""
    for key in CHOICES.keys() & given.keys():
        value, known = given[key], enum_values(*CHOICES[key])
        if isinstance(value, str) and value not in known:
            remedy = _nearest(value, known) or f"; choose one of: {', '.join(known)}"
            yield (key,), f'there is no "{value}"{remedy}'


def _nearest(value: str, known: Sequence[str]) -> str:
    """Suggest the first name that begins with the value, else the nearest; `adamm` is near to `adamw_torch`."""
    stems = {name.partition("_")[0]: name for name in reversed(known)}  # adamw -> adamw_torch, the first of them
    names = stems | {name: name for name in known}
    longer = (name for name in known if value and name.startswith(value))
    close = difflib.get_close_matches(value, names, n=1)
    found = next(longer, names[close[0]] if close else None)
    return f'; did you mean "{found}"?' if found else ""


class EarlyStopping(Section):
    """Stop when the metric of the best checkpoint no longer improves (transformers.EarlyStoppingCallback)."""

    early_stopping_patience: int = Field(1, ge=1)
    """Number of evaluations without improvement after which training stops."""
    early_stopping_threshold: float = Field(0.0, ge=0)
    """Smallest difference that counts as improvement, in units of the metric."""
