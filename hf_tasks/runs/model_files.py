"""The model of a run: put together from checkpoint and method, saved as small as it can be, put together again.

model                      the whole model, as transformers saves it
trained.safetensors        the trained parameters alone; its header names the base checkpoint, with its hash
adapter_model.safetensors  PEFT's adapter, as PEFT saves it

A plain `from_pretrained` finds no model.safetensors in the second, and fails.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.checkpoint_paths import quiet_transformers, resolve_checkpoint
from hf_tasks.core.errors import RunError
from hf_tasks.core.hashing import cached_sha256
from hf_tasks.methods.base import Saved
from hf_tasks.methods.peft import load_adapter, save_adapter
from hf_tasks.models.layers import pretrained_layers
from hf_tasks.models.load import load_model, longest_input
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
    """The form in which this recipe's model is saved; neither transformers nor PEFT can rebuild a mix of layers, or
    another pooling."""
    return recipe.method.saves if recipe.model.is_plain else "trained"


def is_whole(recipe: Recipe, path: Path) -> bool:
    """Whether a run's model is in its directory; the files of a large model may be numbered shards."""
    return any(path.glob(f"{Path(FILES[saved_as(recipe)]).stem}*.safetensors"))


def config_of(recipe: Recipe, path: Path) -> Model:
    """Where a run's configuration and tokenizer are: in its directory with a whole model, else at the base. RunError
    where that is a folder or package that is not there."""
    if saved_as(recipe) == "model":
        return Model(name_or_path=str(path))
    try:
        resolve_checkpoint(recipe.model.name_or_path)
    except RunError as e:
        raise RunError(f"{path}: the run holds what was trained alone, and its checkpoint is missing: {e}") from None
    return recipe.model


def saved_bytes(recipe: Recipe, model: "nn.Module") -> int:
    """About how many bytes the model's weights will take in the run: 4 for each float32 parameter that is kept."""
    kept = [p for p in model.parameters() if p.requires_grad or saved_as(recipe) == "model"]
    return sum(p.numel() * p.element_size() for p in kept)


def build_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """The model to train: the recipe's checkpoint under the task's head, adapted by the method."""
    return _adapted(recipe, _base(recipe, tokenizer))


def save(recipe: Recipe, model: Any, path: Path) -> None:
    """Write the model into a run's directory."""
    from safetensors.torch import load_file, save_file

    form = saved_as(recipe)
    if form == "model":
        with quiet_transformers():
            model.save_pretrained(path)
        return
    if form == "peft":
        save_adapter(model, path, recipe.model.name_or_path, recipe.model.revision or recipe.card.base_revision)
        tensors = load_file(path / FILES[form])
    else:
        tensors = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    base = {"base": recipe.card.base_model or recipe.model.name_or_path, "base_sha256": base_hash(recipe)}
    save_file(tensors, path / FILES[form], metadata={"format": "pt", **base})
    _sort_header(path / FILES[form])


def _sort_header(file: Path) -> None:
    """Sort the keys in the header of a safetensors file: the library writes its metadata in random order, and equal
    models should give equal files. (8 bytes hold the header's length; https://github.com/huggingface/safetensors)"""
    with file.open("r+b") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
        text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= length
        opened.seek(8)
        opened.write(text.ljust(length))


def load(recipe: Recipe, path: Path, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """The trained model of a run. RunError where it is not whole, or its base checkpoint is another one now."""
    form = saved_as(recipe)
    if form == "model":
        return _adapted(recipe, load_model(config_of(recipe, path), recipe.task, tokenizer, trained=True))
    _check_base(recipe, path / FILES[form])
    if form == "peft":
        return load_adapter(_base(recipe, tokenizer), path)
    return _with_trained(build_model(recipe, tokenizer), path / FILES[form])


def base_hash(recipe: Recipe) -> str:
    """SHA-256 of the base checkpoint's weights; "" where they are not one local file."""
    from huggingface_hub import try_to_load_from_cache

    place, name = resolve_checkpoint(recipe.model.name_or_path), FILES["model"]
    local = Path(place, name)
    found = local if local.is_file() else try_to_load_from_cache(place, name, revision=recipe.model.revision)
    return cached_sha256(Path(found)) if isinstance(found, str | Path) else ""


def _base(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """The recipe's checkpoint under the task's head, with room left for what the method adds to its inputs."""
    model: nn.Module = load_model(recipe.model, recipe.task, tokenizer)
    room = longest_input(model) - recipe.method.extra_tokens
    tokenizer.model_max_length = min(tokenizer.model_max_length, room)
    return model


def _adapted(recipe: Recipe, model: "nn.Module") -> "nn.Module":
    if recipe.model.weighted_layers:
        from hf_tasks.models.weighted_layers import mix_layers

        mix_layers(model, pretrained_layers(model).stacks[0])
    if recipe.model.pooling != "cls":
        from hf_tasks.models.pooling import pool

        pool(model, pretrained_layers(model).stacks[0], recipe.model.pooling)
    return recipe.method.prepare(model)  # for the method, the mix is part of the head


def _check_base(recipe: Recipe, file: Path) -> None:
    """RunError where the base checkpoint has other weights than those that the run was trained on."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as saved:
        expected = (saved.metadata() or {}).get("base_sha256")
    if expected and expected != base_hash(recipe):
        raise RunError(
            f"{file}: trained on other weights than {recipe.model.name_or_path} has now "
            f"(SHA-256 {expected[:12]}...); give the run the checkpoint that it was trained on"
        )


def _with_trained(model: "nn.Module", file: Path) -> "nn.Module":
    """The freshly assembled model with the trained parameters of trained.safetensors in their places."""
    from safetensors.torch import load_file

    tensors = load_file(file)
    expected = {name for name, p in model.named_parameters() if p.requires_grad}
    if odd := sorted(expected ^ tensors.keys()):
        raise RunError(f"{file}: does not fit the recipe's method (the first parameter in question: {odd[0]})")
    try:
        model.load_state_dict(tensors, strict=False)
    except RuntimeError as e:  # of other sizes
        reason = str(e).strip().splitlines()[-1].strip()
        raise RunError(f"{file}: does not fit the recipe's model ({reason}); train it again") from None
    return model
