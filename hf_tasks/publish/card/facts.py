"""What the card says of a run and only its making can tell: machine, curve, energy, one example.

All of it goes into results.json, so that the card can be made from there again.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.publish.redact import LOCAL
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import Task
from hf_tasks.training.arguments import arguments

if TYPE_CHECKING:
    from datasets import Dataset

POINTS = 100
"""Of the training loss on the curve; further ones are averaged."""
WATTS_PER_CORE = 5.0
"""Assumed for each core of a processor that the system shows; servers and laptops draw about 2 to 10."""
ROWS_FOR_EXAMPLE = 50
SHORT = 300
"""Characters of an example that are easily read."""
NOT_SHOWN = (
    *LOCAL, "run_name", "hub_token", "push_to_hub_token", "hub_strategy", "project", "log_level", "log_level_replica",
    "disable_tqdm", "local_rank", "ddp_timeout", "length_column_name", "skip_memory_metrics", "do_eval",
    "log_on_each_node", "logging_strategy", "logging_steps", "include_num_input_tokens_seen", "eval_do_concat_batches",
    "per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "dataloader_in_order",
    "restore_callback_states_from_checkpoint", "average_tokens_across_devices", "save_safetensors",
)  # fmt: skip
"""Arguments that change nothing in the model, or tell of this machine."""
LEFT_OUT = ("id", "probabilities", "scores", "nbest", "offsets")
"""Keys of a prediction that are too long for an example."""


def gather(path: Path, recipe: Recipe, results: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run's directory; `results`: what results.json has on data and training."""
    environment = json.loads((path / "environment.json").read_text(encoding="utf-8"))
    environment.pop("recipe_folder", None)
    watts = _watts(recipe, environment)
    return {
        "environment": environment,
        "arguments": shown_arguments(recipe, validated="validation" in results["data"]),
        "curve": curve(path / "training_log.jsonl"),
        "energy": watts and watts | {"wh": round(results["training"]["seconds"] * watts["watts"] / 3600, 3)},
    }


def shown_arguments(recipe: Recipe, *, validated: bool) -> dict[str, Any]:
    """transformers' TrainingArguments as training began with them, without what is off, and places of this machine."""
    values = arguments(recipe, validated=validated).to_dict()
    return worth_showing({name: value for name, value in values.items() if not isinstance(value, dict)})


def worth_showing(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something of the model: neither off, nor without effect, nor of this machine."""
    return {
        name: value for name, value in arguments.items() if value and (name, value) != ("max_steps", -1)
        and name not in NOT_SHOWN
    }  # fmt: skip


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


def example(task: Task, examples: "Dataset", predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first example that is short, or the shortest of the first ones, and what the model predicts for it."""
    inputs = task.traits.inputs
    names = inputs if set(inputs) <= set(examples.column_names) else task.columns.required
    few = [{name: row[name] for name in names} for row in examples.select(range(min(ROWS_FOR_EXAMPLE, len(examples))))]
    sizes = [len(json.dumps(one, ensure_ascii=False)) for one in few]
    row = next((i for i, size in enumerate(sizes) if size <= SHORT), sizes.index(min(sizes)))
    kept = {key: value for key, value in predictions[row].items() if key not in LEFT_OUT}
    return {"input": few[row], "prediction": kept}


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
