"""Text classification: one text, or a pair of texts, to a label, a set of labels, or a number.

{"text": "I am still waiting on my card?", "label": "card_arrival"}
{"text": "A man inspects a uniform.", "text_pair": "The man is sleeping.", "label": "contradiction"}
{"text": "To make her feel threatened", "labels": ["fear"]}
{"text": "A plane is taking off.", "text_pair": "An air plane is taking off.", "score": 5.0}
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.core.section import did_you_mean
from hf_tasks.metrics.thresholds import NEUTRAL
from hf_tasks.tasks.base import TUNED, Task
from hf_tasks.tasks.text_classification.features import TextReader
from hf_tasks.tasks.text_classification.heads import (
    HEADS,
    PROBLEM_OF_TARGET,
    Head,
    MultiLabel,
    ProblemType,
    Regression,
    SingleLabel,
)
from hf_tasks.tasks.text_classification.labels import ClassWeights, label_of, numbers_first, scaled, score_of, several
from hf_tasks.tasks.types import (
    Batch,
    Columns,
    EncodedSplit,
    Example,
    Examples,
    Features,
    Issues,
    MetricInputs,
    ModelSpec,
    Postprocessor,
    Prediction,
    RawRow,
    Traits,
    is_blank,
    max_input_length,
    rows,
    text_of,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Probability = Annotated[float, Field(gt=0, lt=1)]

EACH_ITS_OWN = 30
"""Rows from which labels that all differ are taken for texts."""


class TextClassification(Task):
    """Predict a label, a set of labels or a number for a text or a pair of texts."""

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
    focal_gamma: float | None = Field(None, ge=0)
    """The focal loss, which reduces the loss of examples that are already right: (1 - p)^focal_gamma times the cross
    entropy, for the probability p of the true label; 2 in the paper (Lin et al. 2017)."""
    threshold: Literal["tuned"] | Probability | dict[str, Probability] = 0.5
    """Several labels: predict those whose probability is above it, one number for all or one for each. Two labels: it
    is that of the second one. "tuned": for the highest F1 of each label on the validation split, or of two labels for
    the highest first metric."""
    temperature: Literal["tuned"] | Annotated[float, Field(gt=0)] = 1.0
    """Divisor of the logits before they become probabilities; "tuned": for the best likelihood on validation."""
    long_texts: Literal["truncate", "windows"] = "truncate"
    """Texts longer than max_length: cut them, or read them in overlapping windows and average the windows' logits."""
    doc_stride: int = Field(128, ge=0)
    """Tokens by which two windows overlap; at most half a window."""

    @property
    def head(self) -> Head:
        """What is learned and how it is decided, once it is known; what is to be tuned is neutral until it is."""
        temperature = 1.0 if isinstance(self.temperature, str) else self.temperature
        thresholds = tuple(map(self.threshold_of, self.labels))
        match self.problem_type:
            case "regression":
                return Regression()
            case "multi_label_classification":
                return MultiLabel(self.labels, temperature, thresholds, self.focal_gamma or 0.0)
            case _:
                weights = self.class_weights if isinstance(self.class_weights, dict) else None
                return SingleLabel(self.labels, weights, temperature, thresholds, self.focal_gamma or 0.0)

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
            refused = HEADS[self.problem_type].refused
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

    @property
    def columns(self) -> Columns:
        inputs = ("text", "text_pair")
        return Columns(
            required=inputs if self.pairs else inputs[:1],
            optional=() if self.pairs else inputs[1:],
            targets=("label", "labels", "score"),
            aliases={
                "sentence": "text", "sentence1": "text", "premise": "text",
                "sentence2": "text_pair", "hypothesis": "text_pair",
            },
            lists=("labels",),
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        target, kind = self.head.target, (self.problem_type or "").replace("_", " ")
        return Traits(
            examples="pairs" if self.pairs else "texts",
            targets=f"{target.rstrip('s')}s",
            inputs=self.columns.required,
            strata=_strata,
            identity=("text",) if self.pairs is False else ("text", "text_pair"),
            label_column="" if target == "score" else target,
            score_column="score" if target == "score" else "",
            class_labels=self.labels,
            too_long="task.long_texts: windows reads them whole",
            kind=kind,
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForSequenceClassification", self.head.head_config())

    def parse(self, row: RawRow) -> Example:
        example: Example = {name: text_of(row[name], name) for name in ("text", "text_pair") if name in row}
        indices = self.label_indices is not False
        if "label" in row:
            example["label"] = label_of(row["label"], self.labels, indices=indices)
        elif "labels" in row:
            values = several(row["labels"], self.label_separator)
            example["labels"] = [label_of(value, self.labels, indices=indices) for value in values]
        elif "score" in row:
            example["score"] = score_of(row["score"])
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        if label_columns and not self.labels:  # they are labels too where no training row has them
            return self.model_copy(update={"labels": label_columns, "label_indices": False}).fit(train)
        found = self.columns.target(train.column_names)
        problem = self.problem_type or PROBLEM_OF_TARGET[found]
        target = HEADS[problem].target
        if found != target:
            raise ValueError(
                f'task.problem_type is {problem}, which reads the column "{target}", but the '
                f'training data has "{found}"; name its column in the file with data.columns: {{{target}: NAME}}'
            )
        resolved = self._with(
            problem_type=problem,
            metrics=self.metrics or HEADS[problem].metrics,
            label_indices=bool(self.labels) if self.label_indices is None else self.label_indices,
            pairs="text_pair" in train.column_names,
        )
        if problem == "regression":
            return resolved
        targets = train[found][:]
        return resolved._with_labels(Counter(targets if found == "label" else chain.from_iterable(targets)))

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

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(
            errors=((row, text) for row, example in enumerate(rows(examples)) for text in self._errors(example))
        )

    def _errors(self, example: Example) -> Iterator[str]:
        for name in ("text", "text_pair"):
            if name in example and is_blank(example[name]):
                yield f"the {name} is empty; write it or remove the row"
        names = [example["label"]] if "label" in example else example.get("labels", [])
        for label in names:
            if label not in self.labels:
                known = f"; labels are {', '.join(self.labels)}" if len(self.labels) <= 12 else ""
                hint = did_you_mean(label, self.labels) or known
                yield f'label "{label}" is not among the labels of the training data{hint}'

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        stride = self.doc_stride if self.long_texts == "windows" else None
        reader = TextReader(tokenizer, max_input_length(self.max_length, tokenizer), stride)
        features = reader.features(examples["text"], examples.get("text_pair"))
        if self.head.target in examples:
            learned = self.head.learned(examples[self.head.target])
            features["labels"] = [learned[i] for i in features["example"]]
        return features

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        labels = batch["labels"]
        return self.head.loss(outputs["logits"].float(), labels) / (labels.numel() if items is None else items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(_logits, self._decode, self._calibrated if self._tuned else None)

    @property
    def _tuned(self) -> bool:
        return TUNED in (self.temperature, self.threshold)

    def _decode(self, outputs: list[Any], split: EncodedSplit) -> list[Prediction]:
        return self.head.predictions(_mean_logits(outputs, split))

    def _calibrated(self, outputs: list[Any], split: EncodedSplit) -> Self:
        task, logits, targets = self, _mean_logits(outputs, split), split.examples[self.head.target][:]
        match task.head:
            case SingleLabel() | MultiLabel() as head if task.temperature == TUNED:
                task = task.model_copy(update={"temperature": head.best_temperature(logits, targets)})
        match task.head:
            case SingleLabel() | MultiLabel() as head if task.threshold == TUNED:
                threshold = head.best_threshold(logits, targets, self.metrics[0])
                task = task.model_copy(update={"threshold": threshold})
        return task

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        target, references = self.head.target, self.head.references(examples[self.head.target][:])
        return MetricInputs(
            [prediction[target] for prediction in predictions],
            references,
            context={"labels": self.labels},
            confidence=lambda: self.head.confidence(predictions, references),
        )


def _strata(example: Example) -> tuple[str, ...]:
    if "score" in example:
        return ("",)
    return (example["label"],) if "label" in example else tuple(sorted(set(example["labels"])))


def _logits(outputs: Any, features: Features) -> list[Any]:
    return list(outputs["logits"].float().cpu().numpy())  # B x (C,)


def _mean_logits(outputs: list[Any], split: EncodedSplit) -> np.ndarray:
    """(E, C): the mean of each example's windows."""
    rows, example = np.stack(outputs), np.array(split.features["example"][:])  # (N, C), (N,)
    sums = np.zeros((len(split.examples), rows.shape[1]))
    np.add.at(sums, example, rows)
    return sums / np.bincount(example, minlength=len(sums))[:, None]
