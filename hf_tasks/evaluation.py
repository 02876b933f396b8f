"""Predictions and scores. Evaluation during training, `evaluate` and `predict` all run through `predict` here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks import distributed
from hf_tasks.decoding import Decoding
from hf_tasks.metrics import find, score
from hf_tasks.metrics.intervals import uncertainty
from hf_tasks.tasks import DiscriminativeTask, GenerativeTask, Split, Task
from hf_tasks.tasks.collate import IGNORE
from hf_tasks.tasks.examples import Row

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


def encode(examples: "Dataset", task: Task, tokenizer: "PreTrainedTokenizerBase") -> Split:
    """Tokenize a part. Column `example` of the features is the row of `examples`."""

    import pyarrow
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    small, byte = pyarrow.list_(pyarrow.int32()), pyarrow.list_(pyarrow.int8())
    kinds = {"input_ids": small, "token_type_ids": byte, "attention_mask": byte}

    def batch(columns: dict[str, list[Any]], rows: list[int]) -> pyarrow.Table:
        features = task.encode(columns, tokenizer)
        features["example"] = [rows[i] for i in features["example"]]
        return pyarrow.table({name: pyarrow.array(values, kinds.get(name)) for name, values in features.items()})

    shown = is_progress_bar_enabled() and len(examples) > 50_000
    (enable_progress_bar if shown else disable_progress_bar)()
    features = examples.map(
        batch, with_indices=True, batched=True, remove_columns=examples.column_names, desc="Tokenizing",
        load_from_cache_file=False, new_fingerprint=f"features-{id(examples)}",
    )  # fmt: skip
    return Split(examples, features)


def predict(
    model: "nn.Module",
    task: Task,
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    decoding: Decoding | None = None,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
) -> Predicted:
    """Predictions of every example, in float32; a progress bar on a terminal where `description` is given.

    `decoding`: how a generative task's texts are found; its loss is by teacher forcing on the first references.
    """
    if not len(split.examples):
        return Predicted([], None)
    options: dict[str, Any] = {"batch_size": batch_size, "description": description}
    match task:
        case GenerativeTask():
            assert decoding is not None
            labelled = "labels" in split.features.column_names
            loss = outputs(model, task.unsmoothed(), split, tokenizer, **options)[1] if labelled else None
            return Predicted(_texts(model, split, tokenizer, decoding, options), loss)
        case DiscriminativeTask():
            items, loss = outputs(model, task, split, tokenizer, **options)
            return Predicted(task.decode(items, split), loss)
        case _:
            raise AssertionError(task)


def _texts(
    model: "nn.Module", split: Split, tokenizer: "PreTrainedTokenizerBase", decoding: Decoding, options: dict[str, Any]
) -> list[Row]:
    """A row for each example: the text, whether it was cut, and what the decoding says of its choice."""
    from hf_tasks.decoding.generate import generate_from

    names = [name for name in tokenizer.model_input_names if name in split.features.column_names]
    generated = generate_from(model, tokenizer, split.features.select_columns(names).to_list(), decoding, **options)
    return [{"prediction": one.text, "cut": one.cut} | one.choice for one in generated]


def outputs(
    model: "nn.Module",
    task: Task,
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
) -> tuple[list[Any], float | None]:
    """What `task.reduce` keeps of the model's outputs, one item per feature; and the mean loss, where labelled.

    Several processes share the batches; each of them gets all items, in order.
    """
    import torch
    from tqdm import tqdm

    device = next(model.parameters()).device
    collate = task.collator(tokenizer, model)
    items: list[Any] = [None] * len(split.features)
    loss, labelled = 0.0, 0
    model.eval()
    rank, processes = distributed.rank_and_size()
    mine = list(_by_length(split, batch_size))[rank::processes]
    hidden = None if description and distributed.is_main() else True
    batches = tqdm(mine, desc=description, unit=" batches", disable=hidden, leave=False)
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
    of_all = distributed.gather(({row: items[row] for rows in mine for row in rows}, loss, labelled))
    shared = {row: item for kept, _, _ in of_all for row, item in kept.items()}
    loss, labelled = sum(one[1] for one in of_all), sum(one[2] for one in of_all)
    return [shared[row] for row in range(len(items))], loss / labelled if labelled else None


def flat(items: list[Any]) -> np.ndarray:
    """All numbers of the items of `outputs`, in one row."""
    arrays = (array for item in items for array in (item if isinstance(item, tuple) else (item,)))
    return np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)


def scores(
    task: Task, predicted: Predicted, examples: "Dataset", memory: dict[str, Any], *, intervals: bool = False
) -> dict[str, Any]:
    """The task's metrics of these predictions, with `n`, what the task counts, and `loss`; with `intervals`, also the
    95 % intervals of the values that have one, and `notes`: what must be known of a value, in words."""
    answers, references = [task.answer(prediction) for prediction in predicted.predictions], task.references(examples)
    memory = asked(task, predicted.predictions, examples, references, memory)
    values = score(task.metrics, answers, references, memory)
    values |= task.tally(predicted.predictions) | ({} if predicted.loss is None else {"loss": predicted.loss})
    if not intervals:
        return values
    found = uncertainty(task.metrics, answers, references, memory)
    return values | {"intervals": found.intervals} | ({"notes": found.notes} if found.notes else {})


def asked(
    task: Task, predictions: list[Row], examples: "Dataset", references: list[Any], memory: dict[str, Any]
) -> dict[str, Any]:
    """What the metrics may ask for by parameter name: of the training data (`memory`), the examples, and how sure
    the predictions are."""
    asks = {name for metric in task.metrics for name in find(metric).asks}
    sure = task.confidence(predictions, references) if asks & {"decisions", "probabilities"} else {}
    labels = {"labels": task.model_dump().get("labels") or ()} if "labels" in asks else {}
    return memory | task.context(examples) | sure | labels


def numbers(values: dict[str, Any]) -> dict[str, float]:
    """The values that are single numbers, without the tables."""
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def _by_length(split: Split, batch_size: int) -> Iterator[list[int]]:
    """Rows of the features, longest first, so that a batch that does not fit in memory fails at once."""
    order = np.argsort(-np.array(split.features["length"][:]), kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size].tolist()
