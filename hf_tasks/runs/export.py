"""`export`: write the model of a run as one plain checkpoint for `from_pretrained`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import atomic_folder
from hf_tasks.models.layers import reads_choices
from hf_tasks.recipe import to_yaml
from hf_tasks.runs import model_files, sentence_transformers_files
from hf_tasks.runs.run import CARD, Run
from hf_tasks.runs.staged_run import TOLERANCE

if TYPE_CHECKING:
    from torch import Tensor, nn

ROWS, TOKENS = 4, 16
"""Shape of the random tokens for the comparison of outputs."""
ROUNDING = 0.05
"""Largest accepted relative difference of outputs in bfloat16, whose numbers have 8 significant bits."""
OUTPUTS = ("logits", "start_logits", "end_logits", "last_hidden_state")


def export(run: Run, out: Path, *, merge: bool, dtype: Literal["float32", "bfloat16"] = "float32") -> float:
    """Write a run's model and tokenizer as a plain checkpoint into a new folder, with adapters merged into the base.

    `dtype`: in bfloat16 the checkpoint has half the size, and transformers computes in it.

    Returns the largest difference between the outputs of the run and of the checkpoint as transformers loads it, on
    random tokens. Raises RunError if the folder exists, if `merge` is needed and not given, or if no plain model
    computes the same; the folder is then removed.
    """
    import torch

    if out.exists():
        raise RunError(f"{out}: exists; name a new folder")
    if run.recipe.model.pooling in ("mean", "max") and not run.recipe.task.model_spec.embeds:
        raise RunError("model.pooling: transformers has no model with this pooling; use the run itself")
    if run.recipe.model.weighted_layers:
        raise RunError("model.weighted_layers: transformers has no model with weighted layers; use the run itself")
    if model_files.saved_as(run.recipe) == "peft" and not merge:
        raise RunError(f"{run.path}: the run is an adapter for {run.recipe.model.name_or_path}; add --merge")
    model = model_files.load(run.recipe, run.path, run.tokenizer).eval()
    rows = _rows(model, run)
    expected = _outputs(model, rows)
    merged: Any = run.recipe.method.merge(model)
    merged.to(getattr(torch, dtype))
    with atomic_folder(out) as folder:
        with quiet_transformers():
            model_files.save_whole(merged, folder)
            run.tokenizer.save_pretrained(folder)
        sentence_transformers_files.write(run.recipe, merged, run.tokenizer, folder)
        (folder / CARD).write_text(_card(run), encoding="utf-8")
        difference = float((_outputs(_plain(run, folder), rows) - expected).abs().max())
        if not difference <= (TOLERANCE if dtype == "float32" else ROUNDING) * max(1.0, float(expected.abs().max())):
            trouble = f"merged weights change the outputs (max difference {difference})"
            raise RunError(f"{run.path}: {trouble}; use the unmerged run")
    return difference


def _plain(run: Run, path: Path) -> "nn.Module":
    """Load the checkpoint in a folder with transformers."""
    import transformers

    auto = getattr(transformers, run.recipe.task.model_spec.auto_class)
    with quiet_transformers():
        model: nn.Module = auto.from_pretrained(path, trust_remote_code=False)
    return model.eval()


def _rows(model: Any, run: Run) -> "dict[str, Tensor]":
    """Return random tokens, drawn with a fixed seed."""
    import torch

    size = (ROWS, min(TOKENS, run.tokenizer.model_max_length))
    ids = torch.randint(len(run.tokenizer), size, generator=torch.Generator().manual_seed(0))
    if reads_choices(model):
        ids = ids[:, None]  # (B, choices, L)
    rows = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return rows | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})


def _outputs(model: "nn.Module", rows: "dict[str, Tensor]") -> "Tensor":
    """Return all logits of the rows as one vector."""
    import torch

    with torch.inference_mode():
        outputs = model(**rows)
    return torch.cat([outputs[name].float().flatten() for name in OUTPUTS if name in outputs])


def _card(run: Run) -> str:
    from huggingface_hub import ModelCardData

    recipe = run.recipe
    tag = recipe.task.traits.pipeline_tag or recipe.task.name
    data = ModelCardData(library_name="transformers", pipeline_tag=tag, tags=["hf_tasks"])
    load = f"{recipe.task.model_spec.auto_class}.from_pretrained"
    return (
        f"---\n{data.to_yaml()}\n---\n\n# {recipe.name}\n\n`{recipe.model.name_or_path}` for {recipe.task.name}, "
        f"adapted by {recipe.method.name} and written as one plain model: `{load}`. "
        f"The recipe:\n\n```yaml\n{to_yaml(recipe)}```\n"
    )
