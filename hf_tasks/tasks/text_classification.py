"""Text classification: one text, or a pair of texts, to a label, a set of labels, or a number.

{"text": "I am still waiting on my card?", "label": "card_arrival"}
{"text": "A man inspects a uniform.", "text_pair": "The man is sleeping.", "label": "contradiction"}
{"text": "To make her feel threatened", "labels": ["fear"]}
{"text": "A plane is taking off.", "text_pair": "An air plane is taking off.", "score": 5.0}
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.block import did_you_mean
from hf_tasks.calibration import temperature_of_flags, temperature_of_labels
from hf_tasks.errors import RecipeError
from hf_tasks.tasks.base import TUNED, Columns, DiscriminativeTask, Lengths, Row, Split

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Probability = Annotated[float, Field(gt=0, lt=1)]
ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]

PROBLEM_OF_TARGET: dict[str, ProblemType] = {
    "label": "single_label_classification",
    "labels": "multi_label_classification",
    "score": "regression",
}
NEUTRAL = 0.5
"""The threshold at which the more probable of two is taken."""
TARGET_OF_PROBLEM = {problem: target for target, problem in PROBLEM_OF_TARGET.items()}
DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "single_label_classification": ("accuracy", "f1", "matthews_correlation"),
    "multi_label_classification": ("f1", "precision", "recall", "accuracy"),
    "regression": ("pearson", "spearman", "mse"),
}


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
    class_weights: Literal["balanced"] | dict[str, float] | None = None
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

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.problem_type == "regression" and self.labels:
            yield ("labels",), "regression predicts a number and has no labels; remove them"
        if self.problem_type in ("regression", "multi_label_classification") and self.class_weights:
            yield ("class_weights",), "only single-label classification has class weights; remove them"
        if self.problem_type in ("regression", "single_label_classification") and self.label_separator:
            yield ("label_separator",), 'only several labels are separated; name their column "labels", or remove it'
        yield from self._threshold_clashes()
        if len(set(self.labels)) < len(self.labels):
            yield ("labels",), "a label is named twice; keep one of them"
        if isinstance(self.class_weights, dict):
            for label in self.class_weights.keys() - set(self.labels or self.class_weights):
                yield ("class_weights", label), f"not one of the labels{did_you_mean(label, self.labels)}"
            if any(weight <= 0 for weight in self.class_weights.values()):
                yield ("class_weights",), "weights must be above 0"
        if self.long_texts == "windows" and self.doc_stride >= self.max_length - 2:
            yield ("doc_stride",), f"windows of {self.max_length} tokens cannot overlap by {self.doc_stride}; lower it"

    def _threshold_clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.problem_type == "regression":
            for key in self.model_fields_set & {"threshold", "temperature"}:
                yield (key,), "regression predicts a number and has no probabilities; remove it"
        elif self.problem_type == "single_label_classification" and "threshold" in self.model_fields_set:
            if len(self.labels) > 2:
                yield ("threshold",), f"of {len(self.labels)} labels the most probable one is predicted; remove it"
            elif isinstance(self.threshold, dict):
                yield ("threshold",), "of two labels, give one number, for the second"
        for label in self.threshold if isinstance(self.threshold, dict) else ():
            if self.labels and label not in self.labels:
                yield ("threshold", label), f"not one of the labels{did_you_mean(label, self.labels)}"

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        if self.pairs and "text" in columns and "text_pair" not in columns:
            return 'column "text_pair"'
        return super().missing(columns, labelled)

    def example(self, row: Row) -> Row:
        example: Row = {name: _text(row[name], name) for name in ("text", "text_pair") if name in row}
        if "label" in row:
            example["label"] = self._label(row["label"])
        elif "labels" in row:
            example["labels"] = [self._label(value) for value in self._several(row["labels"])]
        elif "score" in row:
            example["score"] = _number(row["score"])
        return example

    def _label(self, value: Any) -> str:
        """A label's name; among given labels that are no numbers, a whole number counts as a label's place."""
        if isinstance(value, list | tuple | dict):
            raise ValueError('several labels in the column "label"; name the column "labels"')
        if value is None or value == "" or value != value:
            raise ValueError("the label is empty; give the row a label or remove it")
        name = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        if self.label_indices is False or name in self.labels or not name.isdecimal():
            return name
        named = any(label.isdecimal() for label in self.labels)
        return name if named or int(name) >= len(self.labels) else self.labels[int(name)]

    def _several(self, value: Any) -> Iterable[Any]:
        """The labels in a list, in one column each (a dict of flags), in a JSON list, or in separated text."""
        match value:
            case None:
                raise ValueError("the labels are missing; write an empty list for a row without labels")
            case dict():
                return [name for name, flag in value.items() if _flag(flag, name)]
            case str() if value.startswith("["):
                try:
                    return list(json.loads(value))
                except json.JSONDecodeError:
                    raise ValueError(f'labels {value!r} are not a JSON list; write for example ["a", "b"]') from None
            case str() if self.label_separator:
                return [label.strip() for label in value.split(self.label_separator) if label.strip()]
            case list() | tuple():
                return value
            case _:
                return [value] if value != "" else []

    def resolve(self, train: "Dataset") -> Self:
        found = next(target for target in self.targets if target in train.column_names)
        problem = self.problem_type or PROBLEM_OF_TARGET[found]
        if found != TARGET_OF_PROBLEM[problem]:
            raise ValueError(
                f'task.problem_type is {problem}, which reads the column "{TARGET_OF_PROBLEM[problem]}", but the '
                f'training data has "{found}"; rename it with data.columns: {{{TARGET_OF_PROBLEM[problem]}: {found}}}'
            )
        for key, text in self.model_copy(update={"problem_type": problem}).clashes():
            raise ValueError(f"task.{'.'.join(key)}: {text}")
        filled: dict[str, Any] = {
            "problem_type": problem,
            "metrics": self.metrics or DEFAULT_METRICS[problem],
            "label_indices": bool(self.labels) if self.label_indices is None else self.label_indices,
            "pairs": "text_pair" in train.column_names,
        }
        if problem != "regression":
            counts = Counter(_names(train, problem))
            filled["labels"] = self.labels or tuple(sorted(counts, key=_numbers_first))
            if len(filled["labels"]) < 2:
                raise ValueError(f"the training data has one label only ({', '.join(counts)}); two are needed to learn")
            filled["class_weights"] = self._weights(counts, filled["labels"])
        resolved = self.model_copy(update=filled)
        for key, text in resolved._threshold_clashes():
            raise ValueError(f"task.{'.'.join(key)}: {text}")
        return resolved

    def _weights(self, counts: Counter[str], labels: tuple[str, ...]) -> dict[str, float] | None:
        """Weights whose mean over the training examples is 1, so that they leave the learning rate's meaning alone."""
        if self.class_weights is None:
            return None
        raw = self.class_weights
        if isinstance(raw, dict) and (unknown := sorted(raw.keys() - set(labels))):
            hint = did_you_mean(unknown[0], labels) or "; remove it"
            raise ValueError(f'task.class_weights: "{unknown[0]}" is not one of the labels{hint}')
        if raw == "balanced":
            raw = {label: 1 / counts[label] if counts[label] else 1.0 for label in labels}
        mean = sum(raw.get(label, 1.0) * counts[label] for label in labels) / counts.total()
        return {label: raw.get(label, 1.0) / mean for label in labels}

    def check(self, example: Row) -> Iterator[str]:
        for name in ("text", "text_pair"):
            if name in example and not example[name].strip():
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
        return f"{TARGET_OF_PROBLEM[self.problem_type or 'regression'].rstrip('s')}s"

    def compared(self) -> tuple[str, ...]:
        return self.usage()

    def lengths(self, split: Split) -> Iterator[Lengths]:
        for lengths in super().lengths(split):
            yield replace(lengths, otherwise="task.long_texts: windows reads them whole")

    def stratum(self, example: Row) -> str:
        if "score" in example:
            return ""
        return str(example["label"]) if "label" in example else "|".join(sorted(example["labels"])[:1])

    # -- from examples to features

    def head_config(self) -> dict[str, Any]:
        if self.problem_type == "regression":
            return {"num_labels": 1, "problem_type": "regression", "id2label": {0: "score"}, "label2id": {"score": 0}}
        return {
            "problem_type": self.problem_type,
            "id2label": dict(enumerate(self.labels)),
            "label2id": {label: i for i, label in enumerate(self.labels)},
        }

    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        if self.long_texts == "windows" and not tokenizer.is_fast:
            raise RecipeError("task.long_texts: windows need a fast tokenizer; choose truncate or another model")
        limit = self.limit(tokenizer)
        texts, pairs = examples["text"], examples.get("text_pair")
        whole = tokenizer(texts, pairs, verbose=False)
        names = [name for name in tokenizer.model_input_names if name in whole]
        features: Columns = {name: [] for name in (*names, "example", "length", "tokens_cut")}
        for i, ids in enumerate(whole["input_ids"]):
            fits = 0 < len(ids) <= limit
            text, pair = (texts[i], pairs[i] if pairs else None) if ids else (_stand_in(tokenizer), None)
            pieces = [whole] if fits else self._pieces(text, pair, limit, tokenizer)
            for piece in pieces:
                row = {name: piece[name][i] if fits else piece[name] for name in names}
                length = len(row["input_ids"])
                cut = max(0, len(ids) - length) if self.long_texts == "truncate" else 0
                for name, value in (row | {"example": i, "length": length, "tokens_cut": cut}).items():
                    features[name].append(value)
        if targets := self._targets(examples):
            features["labels"] = [targets[i] for i in features["example"]]
        return features

    def _pieces(self, text: str, pair: str | None, limit: int, tokenizer: "PreTrainedTokenizerBase") -> list[Row]:
        """A text that is too long: its beginning, or all its windows; of a pair, windows of the longer text, each with
        the beginning of the other."""
        if self.long_texts == "truncate":
            return [dict(tokenizer(text, pair, truncation=True, max_length=limit, verbose=False))]
        room = limit - tokenizer.num_special_tokens_to_add(pair is not None)
        longer = "only_first"
        if pair is not None:
            first, second = map(len, tokenizer([text, pair], add_special_tokens=False, verbose=False)["input_ids"])
            if second > first:
                longer, text = "only_second", _beginning(text, room // 2, tokenizer)
            else:
                pair = _beginning(pair, room // 2, tokenizer)
            room -= min(first, second, room // 2)
        windows = tokenizer(
            text, pair, truncation=longer, max_length=limit, stride=min(self.doc_stride, room // 2 - 1),
            return_overflowing_tokens=True, verbose=False,
        )  # fmt: skip
        return [{name: windows[name][i] for name in windows} for i in range(len(windows["input_ids"]))]

    def _targets(self, examples: Columns) -> list[Any]:
        """Label ids (int), one 0.0 or 1.0 per label (list), or scores (float); [] for unlabelled examples."""
        ids = {label: i for i, label in enumerate(self.labels)}
        match self.problem_type:
            case "single_label_classification":
                return [ids[label] for label in examples.get("label", [])]
            case "multi_label_classification":
                rows = examples.get("labels", [])
                return [[float(label in chosen) for label in self.labels] for chosen in map(set, rows)]
            case _:
                return [float(score) for score in examples.get("score", [])]

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        import torch
        from torch.nn import functional

        logits = outputs["logits"].float()  # (B, C)
        items = labels.numel() if num_items_in_batch is None else num_items_in_batch
        match self.problem_type:
            case "single_label_classification":
                weights = None
                if isinstance(self.class_weights, dict):
                    weights = torch.tensor([self.class_weights[label] for label in self.labels], device=logits.device)
                return functional.cross_entropy(logits, labels, weights, reduction="sum") / items
            case "multi_label_classification":
                return functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / items
            case _:
                return functional.mse_loss(logits.squeeze(-1), labels, reduction="sum") / items

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        return list(outputs["logits"].float().cpu().numpy())  # B x (C,)

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        logits = self._logits(outputs, split)
        if self.problem_type == "regression":
            return [{"score": float(row[0])} for row in logits]
        rows, above = self._probabilities(logits), np.array([self.threshold_of(label) for label in self.labels])
        if self.problem_type == "multi_label_classification":
            return [
                {
                    "labels": [label for label, over in zip(self.labels, row > above, strict=True) if over],
                    "probabilities": self._by_label(row),
                }
                for row in rows
            ]
        chosen = rows.argmax(axis=1) if above[-1] == NEUTRAL else (rows[:, 1] > above[1]).astype(int)
        return [
            {"label": self.labels[best], "score": float(row[best]), "probabilities": self._by_label(row)}
            for row, best in zip(rows, chosen, strict=True)
        ]

    def _logits(self, outputs: list[Any], split: Split) -> np.ndarray:
        """(E, C): the mean of each example's windows."""
        return _mean_by(np.stack(outputs), np.array(split.features["example"][:]), len(split.examples))

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        from scipy.special import expit, softmax

        scaled = logits / (1.0 if self.temperature == TUNED else self.temperature)
        return np.asarray(
            expit(scaled) if self.problem_type == "multi_label_classification" else softmax(scaled, axis=1)
        )

    def threshold_of(self, label: str) -> float:
        """The probability above which a label is predicted; 0.5 as long as it is not tuned."""
        match self.threshold:
            case dict():
                return self.threshold.get(label, NEUTRAL)
            case float():
                return self.threshold
            case _:
                return NEUTRAL

    def tune(self, outputs: list[Any], split: Split) -> Self:
        target = TARGET_OF_PROBLEM[self.problem_type or "regression"]
        logits, targets = self._logits(outputs, split), np.array(self._targets({target: split.examples[target][:]}))
        task = self
        if self.temperature == TUNED:
            fit = temperature_of_flags if targets.ndim == 2 else temperature_of_labels
            task = task.model_copy(update={"temperature": fit(logits, targets)})
        if self.threshold == TUNED:
            best = task._best_thresholds(task._probabilities(logits), targets)
            task = task.model_copy(update={"threshold": best})
        return task

    def _best_thresholds(self, probabilities: np.ndarray, targets: np.ndarray) -> float | dict[str, float]:
        """For probabilities (E, C), and flags (E, C) or the ids (E,) of one of two labels."""
        from hf_tasks.thresholds import best_for_f1, best_for_metric

        if targets.ndim == 1:
            references = [self.labels[i] for i in targets]
            return best_for_metric(self.metrics[0], probabilities[:, 1], references, self.labels)
        columns = zip(self.labels, probabilities.T, targets.T, strict=True)
        return {label: best_for_f1(column, flags) for label, column, flags in columns}

    def _by_label(self, row: np.ndarray) -> dict[str, float]:
        return {label: float(p) for label, p in zip(self.labels, row, strict=True)}

    def references(self, examples: "Dataset") -> list[Any]:
        rows = examples[TARGET_OF_PROBLEM[self.problem_type or "regression"]][:]
        if self.problem_type == "multi_label_classification":
            return [[label for label in self.labels if label in chosen] for chosen in map(set, rows)]
        return list(rows)

    def confidence(self, predictions: list[Row], references: list[Any]) -> dict[str, Any]:
        pairs = list(zip(predictions, references, strict=True))
        match self.problem_type:
            case "single_label_classification":
                decisions = [([row["score"]], [row["label"] == right]) for row, right in pairs]
            case "multi_label_classification":
                sure = [row["probabilities"] for row in predictions]
                decisions = [
                    (list(p.values()), [label in right for label in p])
                    for p, (_, right) in zip(sure, pairs, strict=True)
                ]
            case _:
                return {}
        return {"decisions": decisions, "probabilities": [row["probabilities"] for row in predictions]}

    def answer(self, prediction: Row) -> Any:
        return prediction[TARGET_OF_PROBLEM[self.problem_type or "regression"]]


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError(f"the {name} is missing; write it or remove the row")
    raise ValueError(f"the {name} is not text but {value!r}; quote it")


def _stand_in(tokenizer: "PreTrainedTokenizerBase") -> str:
    """A text of one token, for an empty one where the tokenizer adds no special tokens."""
    return str(tokenizer.unk_token or tokenizer.pad_token or tokenizer.eos_token)


def _beginning(text: str, tokens: int, tokenizer: "PreTrainedTokenizerBase") -> str:
    """The text of the first `tokens` tokens."""
    cut = tokenizer(
        text, add_special_tokens=False, truncation=True, max_length=tokens, return_offsets_mapping=True
    )  # fmt: skip
    return text[: cut["offset_mapping"][-1][1]] if cut["offset_mapping"] else ""


def _number(value: Any) -> float:
    if value is None or value == "":
        raise ValueError("the score is empty; give the row a number or remove it")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"the score {value!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"the score is {number}; give the row a finite number or remove it")
    return number


def _flag(value: Any, name: str) -> bool:
    known = {"0": False, "1": True, "false": False, "true": True, "0.0": False, "1.0": True}
    flag = known.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f'column "{name}" must be 0 or 1 for each row, found {value!r}')
    return flag


def _names(train: "Dataset", problem: ProblemType) -> Iterable[str]:
    rows = train[TARGET_OF_PROBLEM[problem]][:]
    return rows if problem == "single_label_classification" else (label for row in rows for label in row)


def _numbers_first(label: str) -> tuple[int, float, str]:
    """Sorts "2" before "10", and names after numbers."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def _mean_by(rows: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Mean of the rows (N, C) of each group -> (n, C); every group has a row."""
    sums = np.zeros((n, rows.shape[1]))
    np.add.at(sums, groups, rows)
    return sums / np.bincount(groups, minlength=n)[:, None]
