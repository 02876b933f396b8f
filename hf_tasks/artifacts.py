"""The model of a run: put together from checkpoint and method, saved as small as it can be, put together again.

model                      the whole model, as transformers saves it
trained.safetensors        the trained parameters alone; its header names the base checkpoint, with its hash
adapter_model.safetensors  PEFT's adapter, as PEFT saves it

A plain `from_pretrained` finds no model.safetensors in the second, and fails.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.errors import RunError
from hf_tasks.methods.base import Saved
from hf_tasks.models.load import load_model, locate, quiet
from hf_tasks.models.section import Model
from hf_tasks.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

FILES: dict[Saved, str] = {
    "model": "model.safetensors",
    "trained": "trained.safetensors",
    "peft": "adapter_model.safetensors",
}


def saved_as(recipe: Recipe) -> Saved:
    """The form in which this recipe's model is saved."""
    return recipe.method.saves


def is_whole(recipe: Recipe, path: Path) -> bool:
    """Whether a run's model is in its directory; the files of a large model may be numbered shards."""
    return any(path.glob(f"{Path(FILES[saved_as(recipe)]).stem}*.safetensors"))


def config_of(recipe: Recipe, path: Path) -> Model:
    """Where a run's configuration and tokenizer are: in its directory with a whole model, else at the base."""
    return Model(name_or_path=str(path)) if saved_as(recipe) == "model" else recipe.model


def assemble(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """The model to train: the recipe's checkpoint under the task's head, adapted by the method."""
    return _adapted(recipe, load_model(recipe.model, recipe.task, tokenizer))


def save(recipe: Recipe, model: Any, path: Path) -> None:
    """Write the model into a run's directory."""
    from safetensors.torch import save_file

    if saved_as(recipe) != "trained":
        with quiet():
            model.save_pretrained(path)
        return
    tensors = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    base = {"base": recipe.model.name_or_path, "base_sha256": base_hash(recipe)}
    save_file(tensors, path / FILES["trained"], metadata={"format": "pt", **base})


def load(recipe: Recipe, path: Path, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """The trained model of a run. RunError where it is not whole, or its base checkpoint is another one now."""
    if saved_as(recipe) == "model":
        return _adapted(recipe, load_model(config_of(recipe, path), recipe.task, tokenizer, trained=True))
    return _with_trained(assemble(recipe, tokenizer), recipe, path)


def base_hash(recipe: Recipe) -> str:
    """SHA-256 of the base checkpoint's weights; "" where they are not one local file."""
    from huggingface_hub import try_to_load_from_cache

    place, name = locate(recipe.model.name_or_path), FILES["model"]
    local = Path(place, name)
    found = local if local.is_file() else try_to_load_from_cache(place, name, revision=recipe.model.revision)
    if not isinstance(found, str | Path):
        return ""
    with Path(found).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _adapted(recipe: Recipe, model: "nn.Module") -> "nn.Module":
    return recipe.method.prepare(model)


def _with_trained(model: "nn.Module", recipe: Recipe, path: Path) -> "nn.Module":
    """The freshly assembled model with the trained parameters of trained.safetensors in their places."""
    from safetensors import safe_open

    file = path / FILES["trained"]
    with safe_open(file, framework="pt") as saved:
        facts = saved.metadata()
        tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118  (safe_open is no dict)
    if facts["base_sha256"] and facts["base_sha256"] != base_hash(recipe):
        raise RunError(
            f"{file}: trained on other weights than {recipe.model.name_or_path} has now "
            f"(SHA-256 {facts['base_sha256'][:12]}...); give the run the checkpoint that it was trained on"
        )
    expected = {name for name, p in model.named_parameters() if p.requires_grad}
    if odd := sorted(expected ^ tensors.keys()):
        raise RunError(f"{file}: does not fit the recipe's method (the first parameter in question: {odd[0]})")
    model.load_state_dict(tensors, strict=False)
    return model
