"""The model and tokenizer that a pipeline uses: of a run, of a checkpoint, or given as objects."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RunError
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.runs.run import RECIPE, Run
from hf_tasks.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Checkpoint:
    """What answers: a model in evaluation mode with its tokenizer."""

    model: Any
    tokenizer: "PreTrainedTokenizerBase"
    run: Run | None = None
    """The run that it is, if it is one."""


def run_of(model: Any) -> Run | None:
    """The run that `model` is or names; None for another checkpoint. Raises RunError if the run is incomplete."""
    if isinstance(model, Run):
        return model
    return Run.load(model) if isinstance(model, str | Path) and (Path(model) / RECIPE).is_file() else None


def load(
    model: Any, task: Task, *, tokenizer: Any = None, revision: str | None = None, device: Any = None, dtype: Any = None
) -> Checkpoint:
    """Load a run or a checkpoint for a task.

    `model`: a Run, the folder of a run or checkpoint, a Hub id, package:NAME, or a loaded model with its `tokenizer`.
    Raises RunError if it has no head for the task.
    """
    run = run_of(model)
    if run is not None:
        if run.recipe.task.name != task.name:
            raise RunError(f"{run.path}: a run of {run.recipe.task.name}, not of {task.name}; name its task")
        network, words = run.model, run.tokenizer
    elif isinstance(model, str | Path):
        section = Model(name_or_path=str(model), revision=revision)
        named = section if tokenizer is None else Model(name_or_path=str(tokenizer), revision=revision)
        words = tokenizer if tokenizer is not None and not isinstance(tokenizer, str) else load_tokenizer(named, task)
        network = load_model(section, task, words, trained=True)
    elif tokenizer is None or isinstance(tokenizer, str):
        raise RunError("tokenizer: a model that is loaded needs its tokenizer; give both, or the name of a checkpoint")
    else:
        network, words = model, tokenizer
    return Checkpoint(_placed(network, device, dtype).eval(), words, run)


def _placed(model: Any, device: Any, dtype: Any) -> Any:
    """The model on a device: as in transformers a name, a number, -1 for the CPU, by default the first GPU if any."""
    import torch

    if device is None:
        device = 0 if torch.cuda.is_available() else -1
    if isinstance(device, int):
        device = f"cuda:{device}" if device >= 0 else "cpu"
    precision = getattr(torch, dtype) if isinstance(dtype, str) and dtype != "auto" else dtype
    return model.to(device) if precision in (None, "auto") else model.to(device, precision)
