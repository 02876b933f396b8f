"""Build, save (only what is needed) and load a run's model.

model.safetensors          the complete model, as transformers saves it
trained.safetensors        the trained parameters alone; its header has the name and hash of the base checkpoint
adapter_model.safetensors  a PEFT adapter, as PEFT saves it

`from_pretrained` fails for the second, since it finds no model.safetensors.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.checkpoint_paths import quiet_transformers, resolve_checkpoint
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.hashing import cached_sha256
from hf_tasks.methods.base import Saved
from hf_tasks.methods.peft import PeftMethod, load_adapter, save_adapter
from hf_tasks.models.layers import pretrained_layers
from hf_tasks.models.load import load_model, longest_input, outline
from hf_tasks.models.masked_lm import pooler_of
from hf_tasks.models.section import Model
from hf_tasks.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from hf_tasks.models.pooling import Pooling

FILES: dict[Saved, str] = {
    "model": "model.safetensors",
    "trained": "trained.safetensors",
    "peft": "adapter_model.safetensors",
}


def saved_as(recipe: Recipe) -> Saved:
    """Return the form in which the model is saved; transformers and PEFT cannot load weighted layers or poolings of a
    head, nor PEFT an adapter of some layers. The pooling of embeddings is outside of their models."""
    plain = recipe.model.is_plain or (recipe.task.model_spec.embeds and not recipe.model.weighted_layers)
    fewer = recipe.model.num_hidden_layers is not None and recipe.method.saves == "peft"
    return recipe.method.saves if plain and not fewer else "trained"


def is_saved(recipe: Recipe, path: Path) -> bool:
    """Whether the model is in a run's directory, possibly as numbered shards."""
    return any(path.glob(f"{Path(FILES[saved_as(recipe)]).stem}*.safetensors"))


def config_of(recipe: Recipe, path: Path) -> Model:
    """Return the checkpoint with a run's configuration and tokenizer: the run for a complete model, else the base.

    Raises RunError if the base is missing.
    """
    if saved_as(recipe) == "model":
        return Model(name_or_path=str(path))
    try:
        resolve_checkpoint(recipe.model.name_or_path)
    except RunError as e:
        raise RunError(f"{path}: the run has only trained parameters and its base is missing: {e}") from None
    return recipe.model


def saved_bytes(recipe: Recipe, model: "nn.Module") -> int:
    """Return the approximate size in bytes of the model's weights in the run."""
    kept = [p for p in model.parameters() if p.requires_grad or saved_as(recipe) == "model"]
    return sum(p.numel() * p.element_size() for p in kept)


def build_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """Build the model to train: the recipe's checkpoint with the task's head, prepared by the method."""
    if isinstance(recipe.method, PeftMethod) and recipe.method.named_targets:
        recipe.method.check_targets(outline(recipe.model, recipe.task))  # before the weights are loaded
    return _adapted(recipe, _base(recipe, tokenizer))


def save(recipe: Recipe, model: Any, path: Path) -> None:
    """Write the model into a run's directory."""
    from safetensors.torch import load_file, save_file

    form = saved_as(recipe)
    if form == "model":
        save_whole(model, path)
        return
    if form == "peft":
        save_adapter(model, path, recipe.model.name_or_path, recipe.model.revision or recipe.card.base_revision)
        tensors = load_file(path / FILES[form])
    else:
        tensors = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    base = {"base": recipe.card.base_model or recipe.model.name_or_path, "base_sha256": base_hash(recipe)}
    save_file(tensors, path / FILES[form], metadata={"format": "pt", **base})
    _sort_header(path / FILES[form])


def save_whole(model: Any, path: Path) -> None:
    """Write a complete model, with the pooler that a masked language model leaves out."""
    pooler = pooler_of(model)
    with quiet_transformers():
        model.save_pretrained(path, **({"state_dict": model.state_dict() | pooler} if pooler else {}))


def _sort_header(file: Path) -> None:
    """Sort the keys in the header of a safetensors file, so that equal models give equal files.

    The library writes metadata in random order. The first 8 bytes of the file are the header's length
    (https://github.com/huggingface/safetensors).
    """
    with file.open("r+b") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
        text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= length
        opened.seek(8)
        opened.write(text.ljust(length))


def load(recipe: Recipe, path: Path, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """Load the trained model of a run. Raises RunError if it is incomplete or its base checkpoint has changed."""
    form = saved_as(recipe)
    if form == "model":
        return _adapted(recipe, _loaded(recipe, config_of(recipe, path), tokenizer, trained=True))
    _check_base(recipe, path / FILES[form])
    if form == "peft":
        return load_adapter(_base(recipe, tokenizer), path)
    return _with_trained(build_model(recipe, tokenizer), path / FILES[form])


def base_hash(recipe: Recipe) -> str:
    """Return the SHA-256 of the base checkpoint's weights; "" if they are not one local file."""
    from huggingface_hub import try_to_load_from_cache

    place, name = resolve_checkpoint(recipe.model.name_or_path), FILES["model"]
    local = Path(place, name)
    found = local if local.is_file() else try_to_load_from_cache(place, name, revision=recipe.model.revision)
    return cached_sha256(Path(found)) if isinstance(found, str | Path) else ""


def _base(recipe: Recipe, tokenizer: "PreTrainedTokenizerBase") -> "nn.Module":
    """Load the recipe's checkpoint with the task's head; shortens inputs by the tokens that the method adds."""
    model = _loaded(recipe, recipe.model, tokenizer)
    room = longest_input(model) - recipe.method.extra_tokens
    tokenizer.model_max_length = min(tokenizer.model_max_length, room)
    return model


def _loaded(
    recipe: Recipe, checkpoint: Model, tokenizer: "PreTrainedTokenizerBase", *, trained: bool = False
) -> "nn.Module":
    """Load a checkpoint with the task's head, or with the pooling of its embeddings."""
    model: Any = load_model(checkpoint, recipe.task, tokenizer, trained=trained)
    if recipe.task.model_spec.embeds:
        from hf_tasks.models.sentence_embedding import embed_sentences

        check_embedder(model, recipe.task.model_spec.widths)
        embed_sentences(model, pooling_of(recipe))
    return model  # type: ignore[no-any-return]


def pooling_of(recipe: Recipe) -> "Pooling":
    """Return what the embedding of a text is."""
    return recipe.model.pooling or "mean"


def check_embedder(model: Any, widths: Sequence[int]) -> None:
    """Raise RecipeError for an encoder-decoder, or for more dimensions than the model has."""
    if model.config.is_encoder_decoder:
        raise RecipeError(
            f"model.name_or_path: {model.config.model_type} is an encoder-decoder; choose an encoder such as "
            "sentence-transformers/all-MiniLM-L6-v2"
        )
    if too_many := [width for width in widths if width >= model.config.hidden_size]:
        size = model.config.hidden_size
        raise RecipeError(f"task.dimensions: {too_many[0]} is not below the model's {size} dimensions; remove it")


def _adapted(recipe: Recipe, model: "nn.Module") -> "nn.Module":
    if recipe.model.weighted_layers:
        from hf_tasks.models.weighted_layers import mix_layers

        mix_layers(model, pretrained_layers(model).stacks[0])
    if recipe.model.pooling in ("mean", "max") and not recipe.task.model_spec.embeds:
        from hf_tasks.models.pooling import pool

        pool(model, pretrained_layers(model).stacks[0], recipe.model.pooling)
    return recipe.method.prepare(model)  # for the method, the weighted layers belong to the head


def _check_base(recipe: Recipe, file: Path) -> None:
    """Raise RunError if the base checkpoint's weights are not those that the run was trained on."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as saved:
        expected = (saved.metadata() or {}).get("base_sha256")
    if expected and expected != base_hash(recipe):
        raise RunError(
            f"{file}: the weights of {recipe.model.name_or_path} are not those that the run was trained on "
            f"(SHA-256 {expected[:12]}...); restore that checkpoint"
        )


def _with_trained(model: "nn.Module", file: Path) -> "nn.Module":
    """Load trained.safetensors into the model. Raises RunError if its parameters do not fit."""
    from safetensors.torch import load_file

    tensors = load_file(file)
    expected = {name for name, p in model.named_parameters() if p.requires_grad}
    if odd := sorted(expected ^ tensors.keys()):
        raise RunError(f"{file}: does not fit the recipe's method (first differing parameter: {odd[0]})")
    try:
        model.load_state_dict(tensors, strict=False)
    except RuntimeError as e:  # other shapes
        reason = str(e).strip().splitlines()[-1].strip()
        raise RunError(f"{file}: does not fit the recipe's model ({reason}); train it again") from None
    return model
