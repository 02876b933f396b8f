"""A frozen encoder runs once over the data; its head then trains on what it gave, which is kept on disk.

Where a model's reading cannot be understood, or the states take too much room, the encoder runs in every epoch, and a
line says why.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hf_tasks.frozen.encoder import Kept
from hf_tasks.frozen.feature_store import NoRoom
from hf_tasks.frozen.reading import understood
from hf_tasks.methods import Frozen
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import DiscriminativeTask, Split
from hf_tasks.tasks.collate import FEATURE_ROW
from hf_tasks.trainer.arguments import autocasts
from hf_tasks.trainer.progress import say

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn


def remembered(
    recipe: Recipe, model: "nn.Module", splits: dict[str, Split], tokenizer: Any, device: Any
) -> dict[str, Split]:
    """The parts that training reads. Where their states are kept, column `feature_row` tells them to the model, which
    is changed so that it plays them; without that input it computes as before.

    `device`: where the encoder runs.
    """
    learned = {name: split for name, split in splits.items() if name in ("train", "validation")}
    task = recipe.task
    if not (isinstance(recipe.method, Frozen) and recipe.method.cache and isinstance(task, DiscriminativeTask)):
        return learned
    inputs = tuple(n for n in tokenizer.model_input_names if n in learned["train"].features.column_names)
    train = _read_by_model(learned["train"].features, inputs)
    encoder = understood(task, model.to(device), train, inputs, task.collator(tokenizer, model))
    if encoder is None:
        say("  states     what the head reads of this model cannot be kept: the encoder runs in every epoch")
        return learned
    kept: list[Kept] = []
    for name, split in learned.items():
        try:
            read = _read_by_model(split.features, inputs)
            states = encoder.kept(name, read, autocasts(recipe) and name == "train")
        except NoRoom as e:
            say(f"  states     {name}: {e}; the encoder runs in every epoch")
            continue
        first = sum(len(one.lengths) for one in kept)
        kept.append(states)
        column = np.arange(first, first + len(split.features))
        known = split.features.add_column(FEATURE_ROW, column, new_fingerprint=f"{name}-{id(split)}")
        learned[name] = Split(split.examples, known)
    if kept:
        encoder.replay().states = partial(_states, kept)
    return learned


def _read_by_model(features: "Dataset", inputs: Sequence[str]) -> "Dataset":
    """The features' columns for the model, and the labels."""
    return features.select_columns([name for name in features.column_names if name in (*inputs, "labels")])


def _states(kept: Sequence[Kept], rows: "Tensor", width: int) -> "Tensor":
    """(B, width, layers, H) states of features (B,), which are counted through the parts and all of one part."""
    numbers = rows.cpu().numpy()
    for part in kept:
        if numbers[0] < len(part.lengths):
            return torch.from_numpy(part.of(numbers, width))
        numbers = numbers - len(part.lengths)
    raise AssertionError(rows)
