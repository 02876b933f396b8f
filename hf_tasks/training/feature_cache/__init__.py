"""Train a head on cached hidden states of a frozen encoder.

The encoder runs once over the data, and its hidden states are cached on disk. If it is unknown which states the head
reads, or if they are too large for the cache, the encoder runs in every epoch and a message says why.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hf_tasks.core.terminal import say
from hf_tasks.methods import Frozen
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import EncodedSplit
from hf_tasks.tasks.collate import FEATURE_ROW
from hf_tasks.training.arguments import autocasts
from hf_tasks.training.feature_cache.encoder import CachedStates, Encoder
from hf_tasks.training.feature_cache.reads import detect_reads
from hf_tasks.training.feature_cache.store import CacheFull

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn


def cached_splits(
    recipe: Recipe, model: "nn.Module", encoded_splits: dict[str, EncodedSplit], tokenizer: Any, device: Any
) -> dict[str, EncodedSplit]:
    """Return the train and validation splits, with a column `feature_row` if their states are cached.

    The model is patched to read the cached states by this input; without it the model computes as before. `device`: the
    device of the encoder.
    """
    splits = {name: encoded for name, encoded in encoded_splits.items() if name in ("train", "validation")}
    encoder = encoder_of(recipe, model, splits["train"], tokenizer, device)
    kept: dict[str, CachedStates] = {}
    for name, encoded in splits.items() if encoder else ():
        assert encoder is not None
        try:
            read = read_by_model(encoded.features, encoder.inputs)
            kept[name] = encoder.cached(name, read, autocasts(recipe) and name == "train")
        except CacheFull as e:
            say(f"  cache      {name}: {e}; the encoder runs in every epoch")
    return attach_cache(encoder, splits, kept) if encoder and kept else splits


def encoder_of(recipe: Recipe, model: "nn.Module", train: EncodedSplit, tokenizer: Any, device: Any) -> Encoder | None:
    """Return the frozen encoder if the recipe asks for a cache and it is possible, else None."""
    task = recipe.task
    if not (isinstance(recipe.method, Frozen) and recipe.method.cache and not task.traits.writes_text):
        return None
    if not task.traits.same_inputs:
        say("  cache      the inputs differ in every epoch: the encoder runs in every epoch")
        return None
    if np.ndim(train.features[0]["input_ids"]) > 1:
        say("  cache      features of several texts are not cached: the encoder runs in every epoch")
        return None
    inputs = tuple(n for n in tokenizer.model_input_names if n in train.features.column_names)
    read = read_by_model(train.features, inputs)
    encoder = detect_reads(task, model.to(device), read, inputs, task.collator(tokenizer, model))
    if encoder is None:
        say("  cache      unknown which states of this model the head reads: the encoder runs in every epoch")
    return encoder


def attach_cache(
    encoder: Encoder, splits: dict[str, EncodedSplit], kept: dict[str, CachedStates]
) -> dict[str, EncodedSplit]:
    """Add a column `feature_row` to the splits with cached states, and patch the model to read these states."""
    splits, first = dict(splits), 0
    for name, states in kept.items():
        column, encoded = np.arange(first, first + len(states.lengths)), splits[name]
        known = encoded.features.add_column(FEATURE_ROW, column, new_fingerprint=f"{name}-{id(encoded)}")
        splits[name] = EncodedSplit(encoded.examples, known)
        first += len(states.lengths)
    encoder.replay().states = partial(_states, list(kept.values()))
    return splits


def read_by_model(features: "Dataset", inputs: Sequence[str]) -> "Dataset":
    """Return the features with only the model's inputs and the labels."""
    return features.select_columns([name for name in features.column_names if name in (*inputs, "labels")])


def _states(kept: Sequence[CachedStates], rows: "Tensor", width: int) -> "Tensor":
    """Return (B, width, layers, H) states of features (B,) of one split; indices are continued over all splits."""
    numbers = rows.cpu().numpy()
    for split in kept:
        if numbers[0] < len(split.lengths):
            return torch.from_numpy(split.of(numbers, width))
        numbers = numbers - len(split.lengths)
    raise AssertionError(rows)
