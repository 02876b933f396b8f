"""What the card says of a run and only its making can tell: machine, curve, energy, one example.

All of it goes into results.json, so that the card can be made from there again.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.publish.redact import LOCAL
from hf_tasks.recipe import Recipe

if TYPE_CHECKING:
    pass

POINTS = 100
"""Of the training loss on the curve; further ones are averaged."""
WATTS_PER_CORE = 5.0
"""Assumed for each core of a processor that the system shows; servers and laptops draw about 2 to 10."""
NOT_SHOWN = (
    *LOCAL, "run_name", "hub_token", "push_to_hub_token", "hub_strategy", "project", "log_level", "log_level_replica",
    "disable_tqdm", "local_rank", "ddp_timeout", "length_column_name", "skip_memory_metrics", "do_eval",
    "log_on_each_node", "logging_strategy", "logging_steps", "include_num_input_tokens_seen", "eval_do_concat_batches",
    "per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "dataloader_in_order",
    "restore_callback_states_from_checkpoint", "average_tokens_across_devices", "save_safetensors",
)  # fmt: skip
"""Arguments that change nothing in the model, or tell of this machine."""


def gather(path: Path, recipe: Recipe, results: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run's directory. `results`: what results.json has on data and training; `arguments`:
    transformers' TrainingArguments as a dict."""
    environment = json.loads((path / "environment.json").read_text(encoding="utf-8"))
    environment.pop("recipe_folder", None)
    watts = _watts(recipe, environment)
    return {
        "environment": environment,
        "arguments": worth_showing(arguments),
        "curve": curve(path / "training_log.jsonl"),
        "energy": watts and watts | {"wh": round(results["training"]["seconds"] * watts["watts"] / 3600, 3)},
    }


def worth_showing(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something of the model: neither off, nor without effect, nor of this machine."""
    return {
        name: value
        for name, value in arguments.items()
        if value and not isinstance(value, dict) and (name, value) != ("max_steps", -1) and name not in NOT_SHOWN
    }


def curve(log: Path) -> dict[str, list[list[float]]]:
    """The training log as points: [step, loss] of the training, [step, loss, score] of the validation part."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
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
    """The power in training, and how it is known; None where there is nothing to go by."""
    if recipe.card.watts:
        return {"watts": recipe.card.watts, "from": "as stated in the recipe"}
    if environment["accelerator"]:
        limit = _power_limit()
        return {"watts": limit, "from": "the accelerator's power limit; the rest left out"} if limit else None
    cores = environment["cpu_count"] or 1
    return {
        "watts": cores * WATTS_PER_CORE,
        "from": f"assumed: {WATTS_PER_CORE:g} W for each of the {cores} cores; the rest left out",
    }


def _power_limit() -> float | None:
    """Watts that the first accelerator may draw, from its driver's tool; None without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=power.limit", "--format=csv,noheader,nounits", "--id=0"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    try:
        return float(answer)
    except ValueError:
        return None
