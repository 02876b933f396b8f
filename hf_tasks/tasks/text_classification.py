"""Text classification: one text, or a pair of texts, to a label, a set of labels, or a number.

{"text": "I am still waiting on my card?", "label": "card_arrival"}
{"text": "A man inspects a uniform.", "text_pair": "The man is sleeping.", "label": "contradiction"}
{"text": "To make her feel threatened", "labels": ["fear"]}
{"text": "A plane is taking off.", "text_pair": "An air plane is taking off.", "score": 5.0}
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.block import did_you_mean
from hf_tasks.errors import RecipeError
from hf_tasks.tasks.base import TUNED, DiscriminativeTask
from hf_tasks.tasks.class_weights import ClassWeights, scaled
from hf_tasks.tasks.data_facts import Lengths
from hf_tasks.tasks.examples import Columns, Row, Split, is_blank
from hf_tasks.tasks.label_values import label_of, numbers_first, score_of, several
from hf_tasks.tasks.problems import (
    PROBLEM_OF_TARGET,
    PROBLEMS,
    OneLabel,
    Problem,
    ProblemType,
    Regression,
    SeveralLabels,
)
from hf_tasks.tasks.text_windows import TextReader
from hf_tasks.thresholds import NEUTRAL

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Probability = Annotated[float, Field(gt=0, lt=1)]

EACH_ITS_OWN = 30
"""Rows from which labels that all differ are taken for texts."""


class TextClassification(DiscriminativeTask):
    auto_model: ClassVar[str] = "AutoModelForSequenceClassification"
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ("text_pair",)
    targets: ClassVar[tuple[str, ...]] = ("label", "labels", "score")
    aliases: ClassVar[dict[str, str]] = {
        "sentence": "text",
        "sentence1": "text",
        "premise": "text",
        "sentence2": "text_pair",
        "hypothesis": "text_pair",
    }

    name: Literal["text-classification"]
    problem_type: ProblemType | None = None
    """Found from the target column where it is not given: label, labels or score."""
    labels: tuple[str, ...] = ()
    """The label names, in the order of their ids; found in the training data where not given."""
    label_indices: bool | None = None
    """Whether whole numbers in the data are places in `labels`; found where not given: true if `labels` are given."""
    pairs: bool | None = None
    """Whether every row has a text_pair; found in the training data where not given."""
    label_separator: str | None = Field(None, min_length=1)
    """Splits a text column of several labels, e.g. "|"."""
    class_weights: ClassWeights | None = None
    """Weight of each label's examples in the loss; "balanced": inverse to how often the label occurs in train."""
    threshold: Literal["tuned"] | Probability | dict[str, Probability] = 0.5
    """Several labels: predict those whose probability is above it, one number for all or one for each. Two labels: it
    is that of the second one. "tuned": for the highest F1 of each label on the validation part, or of two labels for
    the highest first metric."""
    temperature: Literal["tuned"] | Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits before they become probabilities; "tuned": for the likeliest labels of the validation part."""
    long_texts: Literal["truncate", "windows"] = "truncate"
    """Texts longer than max_length: cut them, or read them in overlapping windows and average the windows' logits."""
    doc_stride: int = Field(128, ge=0)
    """Tokens by which two windows overlap; at most half a window."""

    @property
    def problem(self) -> Problem:
        """What is learned and how it is decided, once it is known; what is to be tuned is neutral until it is."""
        temperature = 1.0 if isinstance(self.temperature, str) else self.temperature
        thresholds = tuple(map(self.threshold_of, self.labels))
        match self.problem_type:
            case "regression":
                return Regression()
            case "multi_label_classification":
                return SeveralLabels(self.labels, temperature, thresholds)
            case _:
                weights = self.class_weights if isinstance(self.class_weights, dict) else None
                return OneLabel(self.labels, weights, temperature, thresholds)

    def threshold_of(self, label: str) -> float:
        """The probability above which a label is predicted; 0.5 as long as it is not tuned."""
        match self.threshold:
            case dict():
                return self.threshold.get(label, NEUTRAL)
            case float():
                return self.threshold
            case _:
                return NEUTRAL

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.problem_type:
            given = {key: value for key, value in self if key in self.model_fields_set and value}
            refused = PROBLEMS[self.problem_type].refused
            yield from (((key,), text) for key, text in refused.items() if key in given)
        if self.problem_type == "single_label_classification" and "threshold" in self.model_fields_set:
            if len(self.labels) > 2:
                yield ("threshold",), f"of {len(self.labels)} labels the most probable one is predicted; remove it"
            elif isinstance(self.threshold, dict):
                yield ("threshold",), "of two labels, give one number, for the second"
        for label in self.threshold if isinstance(self.threshold, dict) else ():
            if self.labels and label not in self.labels:
                yield ("threshold", label), f"not one of the labels{did_you_mean(label, self.labels)}"
        if len(set(self.labels)) < len(self.labels):
            yield ("labels",), "a label is named twice; keep one of them"
        if isinstance(self.class_weights, dict):
            for label in self.class_weights.keys() - set(self.labels or self.class_weights):
                yield ("class_weights", label), f"not one of the labels{did_you_mean(label, self.labels)}"
            if any(weight <= 0 for weight in self.class_weights.values()):
                yield ("class_weights",), "weights must be above 0"
        if self.long_texts == "windows" and self.doc_stride >= self.max_length - 2:
            yield ("doc_stride",), f"windows of {self.max_length} tokens cannot overlap by {self.doc_stride}; lower it"

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        if self.pairs and "text" in columns and "text_pair" not in columns:
            return 'column "text_pair"'
        return super().missing(columns, labelled)

    def example(self, row: Row) -> Row:
        example: Row = {name: _text(row[name], name) for name in ("text", "text_pair") if name in row}
        indices = self.label_indices is not False
        if "label" in row:
            example["label"] = label_of(row["label"], self.labels, indices=indices)
        elif "labels" in row:
            values = several(row["labels"], self.label_separator)
            example["labels"] = [label_of(value, self.labels, indices=indices) for value in values]
        elif "score" in row:
            example["score"] = score_of(row["score"])
        return example

    def resolve(self, train: "Dataset") -> Self:
        found = self.target(train)
        problem = self.problem_type or PROBLEM_OF_TARGET[found]
        target = PROBLEMS[problem].target
        if found != target:
            raise ValueError(
                f'task.problem_type is {problem}, which reads the column "{target}", but the '
                f'training data has "{found}"; rename it with data.columns: {{{target}: {found}}}'
            )
        resolved = self._with(
            problem_type=problem,
            metrics=self.metrics or PROBLEMS[problem].metrics,
            label_indices=bool(self.labels) if self.label_indices is None else self.label_indices,
            pairs="text_pair" in train.column_names,
        )
        if problem == "regression":
            return resolved
        rows = train[found][:]
        return resolved._with_labels(Counter(rows if found == "label" else chain.from_iterable(rows)))

    def _with_labels(self, counts: Counter[str]) -> Self:
        """Given how often each one occurs."""
        labels = self.labels or tuple(sorted(counts, key=numbers_first))
        if not self.labels and counts.total() == len(counts) >= EACH_ITS_OWN:
            example = next(iter(counts))
            raise ValueError(
                f'each of {len(counts)} rows has a label of its own, such as "{example[:40]}"; if text and label are '
                "swapped, name both with data.columns: {text: NAME, label: NAME}"
            )
        if len(labels) < 2:
            raise ValueError(f"the training data has one label only ({', '.join(counts)}); two are needed to learn")
        weights = None if self.class_weights is None else scaled(self.class_weights, counts, labels)
        return self._with(labels=labels, class_weights=weights)

    def _with(self, **values: Any) -> Self:
        """A copy. Raises ValueError where its keys cannot work together."""
        copy = self.model_copy(update=values)
        for key, text in copy.clashes():
            raise ValueError(f"task.{'.'.join(key)}: {text}")
        return copy

    def check(self, example: Row) -> Iterator[str]:
        for name in ("text", "text_pair"):
            if name in example and is_blank(example[name]):
                yield f"the {name} is empty; write it or remove the row"
        names = [example["label"]] if "label" in example else example.get("labels", [])
        for label in names:
            if label not in self.labels:
                known = f"; labels are {', '.join(self.labels)}" if len(self.labels) <= 12 else ""
                hint = did_you_mean(label, self.labels) or known
                yield f'label "{label}" is not among the labels of the training data{hint}'

    def usage(self) -> tuple[str, ...]:
        return (*self.inputs, *self.optional) if self.pairs else self.inputs

    def unit(self) -> str:
        return "pairs" if self.pairs else "texts"

    def target_words(self) -> str:
        return f"{self.problem.target.rstrip('s')}s"

    def compared(self) -> tuple[str, ...]:
        return self.inputs if self.pairs is False else (*self.inputs, *self.optional)

    def lengths(self, split: Split) -> Iterator[Lengths]:
        for lengths in super().lengths(split):
            yield replace(lengths, otherwise="task.long_texts: windows reads them whole")

    def strata(self, example: Row) -> tuple[str, ...]:
        if "score" in example:
            return ("",)
        return (example["label"],) if "label" in example else tuple(sorted(set(example["labels"])))

    # -- from examples to features

    def head_config(self) -> dict[str, Any]:
        return self.problem.head_config()

    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        if self.long_texts == "windows" and not tokenizer.is_fast:
            raise RecipeError("task.long_texts: windows need a fast tokenizer; choose truncate or another model")
        stride = self.doc_stride if self.long_texts == "windows" else None
        reader = TextReader(tokenizer, self.limit(tokenizer), stride)
        features = reader.features(examples["text"], examples.get("text_pair"))
        if self.problem.target in examples:
            learned = self.problem.learned(examples[self.problem.target])
            features["labels"] = [learned[i] for i in features["example"]]
        return features

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        items = labels.numel() if num_items_in_batch is None else num_items_in_batch
        return self.problem.loss(outputs["logits"].float(), labels) / items

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        return list(outputs["logits"].float().cpu().numpy())  # B x (C,)

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        return self.problem.predictions(_logits(outputs, split))

    def tune(self, outputs: list[Any], split: Split) -> Self:
        task, logits, targets = self, _logits(outputs, split), split.examples[self.problem.target][:]
        match task.problem:
            case OneLabel() | SeveralLabels() as problem if task.temperature == TUNED:
                task = task.model_copy(update={"temperature": problem.best_temperature(logits, targets)})
        match task.problem:
            case OneLabel() | SeveralLabels() as problem if task.threshold == TUNED:
                threshold = problem.best_threshold(logits, targets, self.metrics[0])
                task = task.model_copy(update={"threshold": threshold})
        return task

    def references(self, examples: "Dataset") -> list[Any]:
        return self.problem.references(examples[self.problem.target][:])

    def confidence(self, predictions: list[Row], references: list[Any]) -> dict[str, Any]:
        return self.problem.confidence(predictions, references)

    def answer(self, prediction: Row) -> Any:
        return prediction[self.problem.target]


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError(f"the {name} is missing; write it or remove the row")
    raise ValueError(f"the {name} is not text but {value!r}; quote it")


def _logits(outputs: list[Any], split: Split) -> np.ndarray:
    """(E, C): the mean of each example's windows."""
    rows, example = np.stack(outputs), np.array(split.features["example"][:])  # (N, C), (N,)
    sums = np.zeros((len(split.examples), rows.shape[1]))
    np.add.at(sums, example, rows)
    return sums / np.bincount(example, minlength=len(sums))[:, None]
