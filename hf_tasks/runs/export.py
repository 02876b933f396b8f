"""`export`: the model of a run as one plain checkpoint, which transformers loads by itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import atomic_folder
from hf_tasks.models.layers import reads_choices
from hf_tasks.recipe import to_yaml
from hf_tasks.runs import model_files
from hf_tasks.runs.run import CARD, TOLERANCE, Run

if TYPE_CHECKING:
    from torch import Tensor, nn

ROWS, TOKENS = 4, 16
"""What is compared: rows of random tokens."""
OUTPUTS = ("logits", "start_logits", "end_logits")


def export(run: Run, out: Path, *, merge: bool) -> float:
    """Write a run's model as a plain checkpoint, with its tokenizer, into a new folder; what was trained beside the
    base is merged into it. Returns the largest difference of outputs between the run and the checkpoint as
    transformers loads it, on a few rows of random tokens.

    Raises RunError where the folder exists, where `merge` is needed and not asked for, and where no plain model
    computes the same; nothing is left behind then.
    """
    if out.exists():
        raise RunError(f"{out}: exists already; name a folder that does not")
    if run.recipe.model.pooling != "cls":
        raise RunError("model.pooling: no plain model reads its tokens so; use the run as it is")
    if run.recipe.model.weighted_layers:
        raise RunError("model.weighted_layers: no plain model reads a mix of its layers; use the run as it is")
    if model_files.saved_as(run.recipe) == "peft" and not merge:
        raise RunError(f"{run.path}: the run is an adapter beside {run.recipe.model.name_or_path}; add --merge")
    model = model_files.load(run.recipe, run.path, run.tokenizer).eval()
    rows = _rows(model, run)
    expected = _outputs(model, rows)
    merged: Any = run.recipe.method.merge(model)
    with atomic_folder(out) as folder:
        with quiet_transformers():
            merged.save_pretrained(folder)
            run.tokenizer.save_pretrained(folder)
        (folder / CARD).write_text(_card(run), encoding="utf-8")
        difference = float((_outputs(_plain(run, folder), rows) - expected).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
            raise RunError(f"{run.path}: merged, the model computes something else (by {difference}); use it as it is")
    return difference


def _plain(run: Run, path: Path) -> "nn.Module":
    """The checkpoint in a folder as transformers loads it by itself."""
    import transformers

    auto = getattr(transformers, run.recipe.task.model_spec.auto_class)
    with quiet_transformers():
        model: nn.Module = auto.from_pretrained(path, trust_remote_code=False)
    return model.eval()


def _rows(model: Any, run: Run) -> "dict[str, Tensor]":
    """Random tokens, the same every time."""
    import torch

    size = (ROWS, min(TOKENS, run.tokenizer.model_max_length))
    ids = torch.randint(len(run.tokenizer), size, generator=torch.Generator().manual_seed(0))
    if reads_choices(model):
        ids = ids[:, None]  # (B, choices, L)
    rows = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return rows | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})


def _outputs(model: "nn.Module", rows: "dict[str, Tensor]") -> "Tensor":
    """All logits of the rows, in one vector."""
    import torch

    with torch.inference_mode():
        outputs = model(**rows)
    return torch.cat([outputs[name].flatten() for name in OUTPUTS if name in outputs])


def _card(run: Run) -> str:
    from huggingface_hub import ModelCardData

    recipe = run.recipe
    data = ModelCardData(library_name="transformers", pipeline_tag=recipe.task.name, tags=["hf_tasks"])
    load = f"{recipe.task.model_spec.auto_class}.from_pretrained"
    return (
        f"---\n{data.to_yaml()}\n---\n\n# {recipe.name}\n\n`{recipe.model.name_or_path}` for {recipe.task.name}, "
        f"adapted by {recipe.method.name} and written as one plain model: `{load}`. "
        f"The recipe:\n\n```yaml\n{to_yaml(recipe)}```\n"
    )
