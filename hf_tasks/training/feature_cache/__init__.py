"""Training on a frozen encoder: its states are computed once, kept on disk, and played to the head.

A frozen encoder runs once over the data; its head then trains on what it gave, which is kept on disk.

Where a model's reading cannot be understood, or the states take too much room, the encoder runs in every epoch, and a
line says why.
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
from hf_tasks.training.feature_cache.encoder import Encoder, Kept
from hf_tasks.training.feature_cache.reads import understood
from hf_tasks.training.feature_cache.store import NoRoom

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn


def remembered(
    recipe: Recipe, model: "nn.Module", encoded_splits: dict[str, EncodedSplit], tokenizer: Any, device: Any
) -> dict[str, EncodedSplit]:
    """The parts that training reads. Where their states are kept, column `feature_row` tells them to the model, which
    is changed so that it plays them; without that input it computes as before.

    `device`: where the encoder runs.
    """
    learned = {name: encoded for name, encoded in encoded_splits.items() if name in ("train", "validation")}
    encoder = encoder_of(recipe, model, learned["train"], tokenizer, device)
    kept: dict[str, Kept] = {}
    for name, encoded in learned.items() if encoder else ():
        assert encoder is not None
        try:
            read = read_by_model(encoded.features, encoder.inputs)
            kept[name] = encoder.kept(name, read, autocasts(recipe) and name == "train")
        except NoRoom as e:
            say(f"  states     {name}: {e}; the encoder runs in every epoch")
    return played(encoder, learned, kept) if encoder and kept else learned


def encoder_of(recipe: Recipe, model: "nn.Module", train: EncodedSplit, tokenizer: Any, device: Any) -> Encoder | None:
    """The encoder whose states can be kept; None where the recipe does not want it, or there is none."""
    task = recipe.task
    if not (isinstance(recipe.method, Frozen) and recipe.method.cache and not task.traits.writes_text):
        return None
    if np.ndim(train.features[0]["input_ids"]) > 1:
        say("  states     features of several texts are not kept: the encoder runs in every epoch")
        return None
    inputs = tuple(n for n in tokenizer.model_input_names if n in train.features.column_names)
    read = read_by_model(train.features, inputs)
    encoder = understood(task, model.to(device), read, inputs, task.collator(tokenizer, model))
    if encoder is None:
        say("  states     what the head reads of this model cannot be kept: the encoder runs in every epoch")
    return encoder


def played(encoder: Encoder, learned: dict[str, EncodedSplit], kept: dict[str, Kept]) -> dict[str, EncodedSplit]:
    """The parts, where their states are kept with the column that tells the model to play them."""
    splits, first = dict(learned), 0
    for name, states in kept.items():
        column, encoded = np.arange(first, first + len(states.lengths)), learned[name]
        known = encoded.features.add_column(FEATURE_ROW, column, new_fingerprint=f"{name}-{id(encoded)}")
        splits[name] = EncodedSplit(encoded.examples, known)
        first += len(states.lengths)
    encoder.replay().states = partial(_states, list(kept.values()))
    return splits


def read_by_model(features: "Dataset", inputs: Sequence[str]) -> "Dataset":
    """The features' columns for the model, and the labels."""
    return features.select_columns([name for name in features.column_names if name in (*inputs, "labels")])


def _states(kept: Sequence[Kept], rows: "Tensor", width: int) -> "Tensor":
    """(B, width, layers, H) states of features (B,), which are counted through the parts and all of one part."""
    numbers = rows.cpu().numpy()
    for split in kept:
        if numbers[0] < len(split.lengths):
            return torch.from_numpy(split.of(numbers, width))
        numbers = numbers - len(split.lengths)
    raise AssertionError(rows)
