"""Suggestions for unknown keys: names in other tools (`epochs`), keys of other sections, similar spellings."""

from typing import Any, Literal, get_args, get_origin

from hf_tasks.core.section import Section, did_you_mean, sections_of

ELSEWHERE = {
    "accumulation_steps": "gradient_accumulation_steps",
    "alpha": "lora_alpha",
    "base_model": "name_or_path",
    "checkpoint": "name_or_path",
    "cross_validation": "folds",
    "cv": "folds",
    "dev": "validation",
    "dropout": "lora_dropout",
    "epochs": "num_train_epochs",
    "eval_batch_size": "per_device_eval_batch_size",
    "evaluation_strategy": "eval_strategy",
    "focal_loss": "focal_gamma",
    "grad_clip": "max_grad_norm",
    "k": "folds",
    "kfold": "folds",
    "layers": "num_hidden_layers",
    "lora_r": "r",
    "lr": "learning_rate",
    "lr_scheduler": "lr_scheduler_type",
    "max_epochs": "num_train_epochs",
    "max_len": "max_length",
    "max_seq_length": "max_length",
    "max_tokens": "max_new_tokens",
    "model_name": "name_or_path",
    "model_name_or_path": "name_or_path",
    "modules": "target_modules",
    "n_epochs": "num_train_epochs",
    "n_splits": "folds",
    "num_epochs": "num_train_epochs",
    "num_folds": "folds",
    "optimizer": "optim",
    "patience": "early_stopping_patience",
    "pretrained_model": "name_or_path",
    "random_seed": "seed",
    "rank": "r",
    "scheduler": "lr_scheduler_type",
    "separator": "delimiter",
    "sep": "delimiter",
    "steps": "max_steps",
    "train_batch_size": "batch_size",
    "train_file": "train",
    "test_file": "test",
    "validation_file": "validation",
    "warmup": "warmup_steps",
    "weight_decay_rate": "weight_decay",
}
"""Name in other tools -> key of a recipe."""


def hint(root: type[Section], values: Any, key: tuple[str | int, ...]) -> str:
    """Return the suggestion for an unknown key, beginning with "; "."""
    word, above = str(key[-1]), key[:-1]
    here = fields_at(root, values, above)
    known = ELSEWHERE.get(word)
    if known in here:
        return f'; did you mean "{known}"?'
    if having := [name for name, section in named_sections(root, above).items() if word in section.model_fields]:
        best = [name for name in ("mbr", "lora") if name in having] or having[:3]
        return f"; it needs {'.'.join(map(str, above))}.name: {' or '.join(best)}"
    if close := did_you_mean(word, here):
        return close
    for section in root.model_fields:
        inside = fields_at(root, values, (section,))
        if above != (section,) and (found := word if word in inside else known) in inside:
            return f'; did you mean "{section}.{found}"?'
    return "; remove it"


def fields_at(root: type[Section], values: Any, key: tuple[str | int, ...]) -> list[str]:
    """Return the valid keys of the section at `key`; if its type depends on its `name`, those for the given name."""
    sections = _sections_at(root, key)
    name = _value_at(values, (*key, "name"))
    named = [section for section in sections if name in names(section)]
    return list(dict.fromkeys(field for section in named or sections for field in section.model_fields))


def names(section: type[Section]) -> tuple[str, ...]:
    """Return the valid values of the key `name` of a section; () if any value is valid."""
    field = section.model_fields.get("name")
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def named_sections(root: type[Section], key: tuple[str | int, ...]) -> dict[str, type[Section]]:
    """Return {name: section class} for the section at `key`."""
    return {name: section for section in _sections_at(root, key) for name in names(section)}


def _sections_at(root: type[Section], key: tuple[str | int, ...]) -> list[type[Section]]:
    sections = [root]
    for step in key:
        fields = (section.model_fields.get(str(step)) for section in sections)
        sections = [below for field in fields if field for below in sections_of(field.annotation)]
    return sections


def _value_at(values: Any, key: tuple[str | int, ...]) -> Any:
    for step in key:
        values = values.get(step) if isinstance(values, dict) else None
    return values
