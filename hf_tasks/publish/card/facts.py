"""Facts about a training that only its machine knows: environment, training curve, energy.

They are stored in results.json, so that the card can be generated again.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_tasks.publish.redact import LOCAL
from hf_tasks.recipe import Recipe
from hf_tasks.runs import json_files

POINTS = 100
"""Maximum number of points of the training loss; more are averaged."""
WATTS_PER_CORE = 5.0
"""Assumed power of a processor core; servers and laptops use about 2 to 10."""
NOT_SHOWN = (
    *LOCAL, "run_name", "hub_token", "push_to_hub_token", "hub_strategy", "project", "log_level", "log_level_replica",
    "disable_tqdm", "local_rank", "ddp_timeout", "length_column_name", "skip_memory_metrics", "do_eval",
    "log_on_each_node", "logging_strategy", "logging_steps", "include_num_input_tokens_seen", "eval_do_concat_batches",
    "per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "dataloader_in_order",
    "restore_callback_states_from_checkpoint", "average_tokens_across_devices", "save_safetensors",
)  # fmt: skip
"""Arguments that do not affect the model, or describe this machine."""


def gather(path: Path, recipe: Recipe, results: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run's directory: environment, arguments, curve, energy.

    `results`: the data and training sections of results.json; `arguments`: transformers' TrainingArguments as a dict.
    """
    environment = json_files.read(path / "environment.json")
    environment.pop("recipe_folder", None)
    watts = _watts(recipe, environment)
    return {
        "environment": environment,
        "arguments": worth_showing(arguments),
        "curve": curve(path / "training_log.jsonl"),
        "energy": watts and watts | {"wh": round(results["training"]["seconds"] * watts["watts"] / 3600, 3)},
    }


def worth_showing(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that affect the model and are not off."""
    return {
        name: value
        for name, value in arguments.items()
        if value and not isinstance(value, dict) and (name, value) != ("max_steps", -1) and name not in NOT_SHOWN
    }


def curve(log: Path) -> dict[str, list[list[float]]]:
    """The training log as points: [step, loss] of the training, [step, loss, score] of validation."""
    rows = json_files.read_rows(log)
    losses = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    width = -(-len(losses) // POINTS) or 1
    bins = [losses[start : start + width] for start in range(0, len(losses), width)]
    return {
        "train": [[one[-1][0], round(sum(loss for _, loss in one) / len(one), 5)] for one in bins],
        "validation": [
            [row["step"], round(row["eval_loss"], 5), round(row["eval_score"], 5)]
            for row in rows
            if "eval_loss" in row and "eval_score" in row
        ],
    }


def _watts(recipe: Recipe, environment: Mapping[str, Any]) -> dict[str, Any] | None:
    """The power during training and its source; None if unknown."""
    if recipe.card.watts:
        return {"watts": recipe.card.watts, "from": "as stated in the recipe"}
    if environment["accelerator"]:
        limit = _power_limit()
        return (
            {"watts": limit, "from": "the accelerator's power limit; the rest of the machine is not counted"}
            if limit
            else None
        )
    cores = environment["cpu_count"] or 1
    return {
        "watts": cores * WATTS_PER_CORE,
        "from": f"assumed: {WATTS_PER_CORE:g} W for each of the {cores} cores; the rest of the machine is not counted",
    }


def _power_limit() -> float | None:
    """The power limit of the first accelerator in watts, from nvidia-smi; None without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=power.limit", "--format=csv,noheader,nounits", "--id=0"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    try:
        return float(answer)
    except ValueError:
        return None
