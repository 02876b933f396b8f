"""Predictions and scores. Evaluation during training, `evaluate` and `predict` all run through `predict` here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.metrics import score
from hf_tasks.tasks import DiscriminativeTask, Split
from hf_tasks.tasks.base import Row
from hf_tasks.tasks.collate import IGNORE, PaddingCollator

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn
    from transformers import PreTrainedTokenizerBase

BATCH_SIZE = 64
"""Features a step in prediction; sorted by length, so that padding is rare."""


@dataclass(frozen=True)
class Predicted:
    predictions: list[Row]
    """One for each example, in the order of the examples."""
    loss: float | None
    """Mean loss over the labelled items; None where the examples are unlabelled."""


def encode(examples: "Dataset", task: DiscriminativeTask, tokenizer: "PreTrainedTokenizerBase") -> Split:
    """Tokenize a part. Column `example` of the features is the row of `examples`."""

    def batch(columns: dict[str, list[Any]], rows: list[int]) -> dict[str, list[Any]]:
        features = task.encode(columns, tokenizer)
        return features | {"example": [rows[i] for i in features["example"]]}

    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    shown = is_progress_bar_enabled() and len(examples) > 50_000
    (enable_progress_bar if shown else disable_progress_bar)()
    features = examples.map(
        batch, with_indices=True, batched=True, remove_columns=examples.column_names, desc="Tokenizing",
        load_from_cache_file=False, new_fingerprint=f"features-{id(examples)}",
    )  # fmt: skip
    return Split(examples, features)


def predict(
    model: "nn.Module",
    task: DiscriminativeTask,
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
) -> Predicted:
    """Predictions of every example, in float32; a progress bar on a terminal where `description` is given."""
    if not len(split.examples):
        return Predicted([], None)
    items, loss = outputs(model, task, split, tokenizer, batch_size=batch_size, description=description)
    return Predicted(task.decode(items, split), loss)


def outputs(
    model: "nn.Module",
    task: DiscriminativeTask,
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
) -> tuple[list[Any], float | None]:
    """What `task.reduce` keeps of the model's outputs, one item per feature; and the mean loss, where labelled."""
    import torch
    from tqdm import tqdm

    device = next(model.parameters()).device
    collate = PaddingCollator(tokenizer)
    items: list[Any] = [None] * len(split.features)
    loss, labelled = 0.0, 0
    model.eval()
    batches = tqdm(
        list(_by_length(split, batch_size)), desc=description, disable=None if description else True, leave=False
    )
    with torch.inference_mode():
        for rows in batches:
            columns = split.features[rows]
            batch = collate([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            labels = batch.pop("labels", None)
            output = model(**batch)
            if labels is not None:
                loss += float(task.loss(output, labels, num_items_in_batch=1))
                labelled += int((labels != IGNORE).sum())
            for row, item in zip(rows, task.reduce(output, columns), strict=True):
                items[row] = item
    return items, loss / labelled if labelled else None


def flat(items: list[Any]) -> np.ndarray:
    """All numbers of the items of `outputs`, in one row."""
    arrays = (array for item in items for array in (item if isinstance(item, tuple) else (item,)))
    return np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)


def scores(
    task: DiscriminativeTask, predicted: Predicted, examples: "Dataset", memory: dict[str, Any]
) -> dict[str, Any]:
    """The task's metrics of these predictions, with `n` and `loss`."""
    answers = [task.answer(prediction) for prediction in predicted.predictions]
    values = score(task.metrics, answers, task.references(examples), memory)
    return values | ({} if predicted.loss is None else {"loss": predicted.loss})


def numbers(values: dict[str, Any]) -> dict[str, float]:
    """The values that are single numbers, without the tables."""
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def _by_length(split: Split, batch_size: int) -> Iterator[list[int]]:
    """Rows of the features, longest first, so that a batch that does not fit in memory fails at once."""
    order = np.argsort(-np.array(split.features["length"][:]), kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size].tolist()
