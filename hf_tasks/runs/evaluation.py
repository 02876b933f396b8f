"""Predictions and scores; evaluation during training, `evaluate` and `predict` all use `predict` of this module."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core import distributed
from hf_tasks.core.progress import progress
from hf_tasks.core.terminal import say
from hf_tasks.decoding import Decoding
from hf_tasks.metrics import find, score
from hf_tasks.metrics.intervals import uncertainty
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.collate import items_in, model_inputs
from hf_tasks.tasks.global_attention import with_global_attention
from hf_tasks.tasks.text2text.task import MIXTURE, TextToText
from hf_tasks.tasks.types import GLOBAL_ATTENTION, Features, MetricInputs, Prediction

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn
    from transformers import PreTrainedTokenizerBase

Reduce = Callable[[Any, Features], list[Any]]

BATCH_SIZE = 64
"""Features per batch in prediction."""


@dataclass(frozen=True)
class Predicted:
    """The predictions of a split, and the loss."""

    predictions: list[Prediction]
    """One for each example, in the order of the examples."""
    loss: float | None
    """Mean loss over the labelled items; None for unlabelled examples."""


def encode(examples: "Dataset", task: Task, tokenizer: "PreTrainedTokenizerBase") -> EncodedSplit:
    """Tokenize a split; the column `example` of the features is the index into `examples`."""
    import pyarrow
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    def batch(columns: dict[str, list[Any]], rows: list[int]) -> pyarrow.Table:
        features = with_global_attention(task.encode(columns, tokenizer), task.traits, tokenizer)
        features["example"] = [rows[i] for i in features["example"]]
        return pyarrow.table({name: _array(name, values) for name, values in features.items()})

    large, terminal = len(examples) > 10_000, sys.stderr.isatty()
    if large and not terminal:
        say(f"Tokenizing: {len(examples):,} examples")
    shown = is_progress_bar_enabled() and large and terminal
    (enable_progress_bar if shown else disable_progress_bar)()
    features = examples.map(
        batch, with_indices=True, batched=True, remove_columns=examples.column_names, desc="Tokenizing",
        load_from_cache_file=False, new_fingerprint=f"features-{id(examples)}",
    )  # fmt: skip
    return EncodedSplit(examples, features, tokenizer)


def _array(name: str, values: list[Any]) -> Any:
    """Return a column of features, with small integer types for the tokenizer's outputs, nested once or twice."""
    import pyarrow

    small = dict.fromkeys(("token_type_ids", "attention_mask", GLOBAL_ATTENTION), pyarrow.int8())
    small["input_ids"] = pyarrow.int32()
    if name not in small:
        return pyarrow.array(values)
    kind = pyarrow.list_(small[name])
    return pyarrow.array(values, pyarrow.list_(kind) if np.ndim(values[0][0]) else kind)


def predict(
    model: "nn.Module",
    task: Task,
    split: EncodedSplit,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    decoding: Decoding | None = None,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
    scores_only: bool = False,
    support: list[Any] | None = None,
) -> Predicted:
    """Predict every example, with a progress bar if `description` is given.

    `decoding`: for tasks that generate text; their loss is the negative log-likelihood of the first references (teacher
    forcing). `scores_only`: values that no metric reads can be omitted. `support`: what `support_of` gave.
    """
    if not len(split.examples):
        return Predicted([], None)
    postprocessor, labelled = task.postprocessor(scores_only=scores_only), "labels" in split.features.column_names
    options: dict[str, Any] = {"batch_size": batch_size, "description": description}
    loss, items = None, list[Any]()
    if labelled or not task.traits.writes_text:
        items, loss = outputs(model, task, split, tokenizer, reduce=postprocessor.reduce, **options)
    if task.traits.writes_text:
        assert decoding is not None
        loss = -float(flat(items).mean()) if labelled else None
        items = _generated(model, split, tokenizer, decoding, options)
    if task.traits.support:
        split = replace(split, support=support_of(model, task, tokenizer) if support is None else support)
    return Predicted(postprocessor.decode(items, split), loss)


def support_of(model: "nn.Module", task: Task, tokenizer: "PreTrainedTokenizerBase") -> list[Any]:
    """The model's outputs of the labelled examples that the task compares with; [] for other tasks."""
    from datasets import Dataset

    if task.traits.support is None:
        return []
    inputs = [{name: one[name] for name in task.traits.inputs} for one in task.traits.support()]
    return outputs(model, task, encode(Dataset.from_list(inputs), task, tokenizer), tokenizer)[0]


def _generated(
    model: "nn.Module",
    split: EncodedSplit,
    tokenizer: "PreTrainedTokenizerBase",
    decoding: Decoding,
    options: dict[str, Any],
) -> list[Any]:
    from hf_tasks.decoding.generate import generate_from

    names = [name for name in tokenizer.model_input_names if name in split.features.column_names]
    return generate_from(model, tokenizer, split.features.select_columns(names).to_list(), decoding, **options)


def outputs(
    model: "nn.Module",
    task: Task,
    split: EncodedSplit,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    reduce: Reduce | None = None,
    batch_size: int = BATCH_SIZE,
    description: str | None = None,
) -> tuple[list[Any], float | None]:
    """Compute the model's outputs of every feature, reduced by `reduce`, and the mean loss (None if unlabelled).

    `reduce`: by default that of the task's postprocessor. Several processes share the batches; each gets all items, in
    order.
    """
    import torch

    from hf_tasks.core.cpu_kernels import plain_attention

    reduce = reduce or task.postprocessor().reduce
    device = next(model.parameters()).device
    collate = task.collator(tokenizer, model)
    items: list[Any] = [None] * len(split.features)
    loss, labelled = 0.0, 0.0
    model.eval()
    rank, processes = distributed.rank_and_size()
    mine = list(_by_length(split, batch_size))[rank::processes]
    with plain_attention(), torch.inference_mode(), progress(len(mine), description, "batches") as bar:
        for rows in mine:
            columns = split.features[rows]
            batch = collate([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            output = _in_float32(model(**model_inputs(batch)))
            if "labels" in batch and not task.traits.loss_of_batches:
                loss += float(task.loss(output, batch, items=1))
                labelled += float(items_in(batch))
            for row, item in zip(rows, reduce(output, columns), strict=True):
                items[row] = item
            bar.update(1)
    of_all = distributed.gather(({row: items[row] for rows in mine for row in rows}, loss, labelled))
    shared = {row: item for kept, _, _ in of_all for row, item in kept.items()}
    loss, labelled = sum(one[1] for one in of_all), sum(one[2] for one in of_all)
    return [shared[row] for row in range(len(items))], loss / labelled if labelled else None


def _in_float32(output: Any) -> Any:
    """Convert the tensors of a model's output to float32, which NumPy and the losses need."""
    for name, value in output.items():
        if hasattr(value, "is_floating_point") and value.is_floating_point():
            output[name] = value.float()
    return output


def flat(items: list[Any]) -> np.ndarray:
    """Return all numbers in the items of `outputs` as one float64 array."""
    arrays = (array for item in items for array in (item if isinstance(item, tuple) else (item,)))
    return np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)


def scores(
    task: Task, predicted: Predicted, examples: "Dataset", train_stats: dict[str, Any], *, intervals: bool = False
) -> dict[str, Any]:
    """Compute the task's metrics, with `n`, counts and `loss`; with `intervals` also 95 % intervals and notes.

    `train_stats`: the statistics of the training data (`Task.train_stats`).
    """
    inputs = task.metric_inputs(predicted.predictions, examples)
    context = metric_arguments(task, inputs, train_stats)
    values = score(task.metrics, inputs.predictions, inputs.references, context)
    if isinstance(task, TextToText) and MIXTURE in examples.column_names:
        values = _of_mixture(task, predicted.predictions, examples, train_stats) | values
    values |= inputs.counts | ({} if predicted.loss is None else {"loss": predicted.loss})
    if not intervals:
        return values
    found = uncertainty(task.metrics, inputs.predictions, inputs.references, context)
    return values | {"intervals": found.intervals} | ({"notes": found.notes} if found.notes else {})


def _of_mixture(
    task: TextToText, predictions: list[Prediction], examples: "Dataset", train_stats: dict[str, Any]
) -> dict[str, Any]:
    """Return `mixture`, the mean of the first value of each dataset, and `datasets`, a table of the values of each."""
    names, of_dataset = np.array(examples[MIXTURE][:]), dict[str, dict[str, float]]()
    for name in np.unique(names).tolist():
        rows = np.flatnonzero(names == name)
        one = task.model_copy(update={"metrics": task.metrics_of.get(name) or task.metrics})
        few = Predicted([predictions[row] for row in rows], None)
        of_dataset[name] = numbers(scores(one, few, examples.select(rows).remove_columns(MIXTURE), train_stats))
    first = [next(value for key, value in row.items() if key != "n") for row in of_dataset.values()]
    return {"mixture": float(np.mean(first)), "datasets": of_dataset}


def tables(
    task: Task, predictions: list[Prediction], examples: "Dataset", train_stats: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The sufficient statistics (E, K) of each metric that has some, by its name."""
    inputs = task.metric_inputs(predictions, examples)
    context = metric_arguments(task, inputs, train_stats)
    forms = {name: find(name).sums(inputs.predictions, inputs.references, **context) for name in task.metrics}
    return {name: form.table() for name, form in forms.items() if form}


def metric_arguments(task: Task, inputs: MetricInputs, train_stats: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of the task's metrics: `train_stats`, facts about the examples, and confidences.

    Confidences are computed only if a metric reads them.
    """
    asks = {name for metric in task.metrics for name in find(metric).asks}
    sure = inputs.confidence() if asks & {"decisions", "probabilities"} else {}
    return train_stats | {"labels": ()} | inputs.context | sure


def numbers(values: dict[str, Any]) -> dict[str, float]:
    """Return the values that are single numbers."""
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def _by_length(split: EncodedSplit, batch_size: int) -> Iterator[list[int]]:
    """Yield batches of feature indices, longest first, so that a batch that does not fit in memory fails at once."""
    order = np.argsort(-np.array(split.features["length"][:]), kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size].tolist()
