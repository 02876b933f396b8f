"""Multiple choice: a context, a question about it where there is one, and the right one of several choices.

    {"context": "The vase fell on the stone, and it broke.", "question": "What broke?",
     "choices": ["the vase", "the stone"], "label": 0}

The number of choices may differ from row to row. A model scores each choice by itself, read after its context as the
second text of a pair; the scores of a row go through a softmax (Radford et al. 2018, section 3.3; Devlin et al. 2019,
section 4.4, https://aclanthology.org/N19-1423).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from hf_tasks.tasks.base import Task
from hf_tasks.tasks.collate import IGNORE, items_in, padded_texts
from hf_tasks.tasks.types import (
    Batch,
    Collator,
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
    RowError,
    Traits,
    is_blank,
    max_input_length,
    rows,
    text_of,
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


class MultipleChoice(Task):
    """Choose one of several texts, given a context and optionally a question."""

    name: Literal["multiple-choice"]
    questions: bool | None = None
    """Whether every row has a question beside its context; found in the training data where not given."""

    # -- from rows to examples

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("context", *(["question"] if self.questions else []), "choices"),
            optional=() if self.questions else ("question",),
            targets=("label",),
            aliases={
                "sent1": "context", "ctx": "context", "premise": "context", "passage": "context", "article": "context",
                "sent2": "question", "endings": "choices", "options": "choices", "answer": "label",
                "answerKey": "label",
            },
            instead={} if self.questions else {"context": ("question",)},
            lists=("choices",),
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            examples="questions", targets="labels", inputs=self.columns.required, global_attention="second text"
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForMultipleChoice")

    def parse(self, row: RawRow) -> Example:
        example: Example = {name: text_of(row[name], name) for name in ("context", "question") if name in row}
        if "context" not in example:
            example["context"] = example.pop("question")
        names, choices = _choices(row["choices"])
        example["choices"] = choices
        if "label" in row:
            example["label"] = _label(row["label"], names, choices)
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        questions = "question" in train.column_names
        return self.model_copy(update={"questions": questions, "metrics": self.metrics or ("accuracy",)})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(_errors(examples), notes=_notes(examples))

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        """The tokenizer's columns have a row for each choice; `length` and `tokens_cut` are those of the longest one.
        What is too long loses the end of its context, and of its choice only if that alone is too long."""
        limit = max_input_length(self.max_length, tokenizer)
        questions = examples.get("question", [""] * len(examples["context"]))
        features: Features = {name: [] for name in ("example", "length", "tokens_cut")}
        for i, (context, question, choices) in enumerate(
            zip(examples["context"], questions, examples["choices"], strict=True)
        ):
            seconds = [f"{question} {choice}".strip() for choice in choices]
            whole = tokenizer([context] * len(seconds), seconds, verbose=False)
            lengths = [len(ids) for ids in whole["input_ids"]]
            columns = {name: list(whole[name]) for name in tokenizer.model_input_names if name in whole}
            for choice in [choice for choice, length in enumerate(lengths) if length > limit]:
                for name, ids in _cut(tokenizer, context, seconds[choice], limit).items():
                    columns[name][choice] = ids
            kept = [len(ids) for ids in columns["input_ids"]]
            row = columns | {"example": i, "length": max(kept), "tokens_cut": max(lengths) - max(kept)}
            for name, value in row.items():
                features.setdefault(name, []).append(value)
        return features | ({"labels": list(examples["label"])} if "label" in examples else {})

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return ChoicesCollator(tokenizer)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        return choice_loss(outputs, batch, items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(choice_logits, _predictions)

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        return MetricInputs(
            [str(prediction["label"]) for prediction in predictions],
            (references := [str(label) for label in examples["label"][:]]),
            confidence=lambda: _confidence(predictions, references),
        )


@dataclass(frozen=True)
class ChoicesCollator:
    """Pads texts and choices: (B, C, L) inputs, with `loss_choices` (B, C), which of the C are real. A choice that is
    padding has one token, so that no row of attention is empty."""

    tokenizer: "PreTrainedTokenizerBase"

    def __call__(self, features: list[dict[str, Any]]) -> Batch:
        import torch

        batch, real = padded_texts(self.tokenizer, features)
        batch["loss_choices"] = real
        if "labels" in features[0]:
            batch["labels"] = torch.tensor([feature["labels"] for feature in features])
        return batch


def _choices(value: Any) -> tuple[list[str], list[str]]:
    """(names of the choices, choices) in a list, a JSON list, lines, one column each, or as ARC and
    CommonsenseQA have them."""
    names: list[str] = []
    match value:
        case None:
            raise ValueError("the choices are missing; write a list of two or more, or remove the row")
        case {"text": [*texts], "label": [*labels]}:
            names, value = list(map(str, labels)), texts
        case [{"text": _, "label": _}, *_] if all(isinstance(one, dict) and "text" in one for one in value):
            names, value = [str(one.get("label")) for one in value], [one["text"] for one in value]
        case str() if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                raise ValueError(f'the choices {value!r} are not a JSON list; write for example ["a", "b"]') from None
        case str():
            value = [line.strip() for line in value.splitlines() if line.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError(f"the choices are not a list but {value!r}; write a list of two or more")
    choices = [text_of(text, f"choice {i}") for i, text in enumerate(value, 1)]
    if len(choices) < 2:
        found = f"is one choice, {choices[0]!r}" if choices else "are no choices"
        raise ValueError(f"there {found}; write a list of two or more, or remove the row")
    return names or [chr(ord("A") + i) for i in range(len(choices))], choices


def _label(value: Any, names: list[str], choices: list[str]) -> int:
    """The place of the right choice, from a place (from 0), the choice itself, or its name (A, B, ...)."""
    if value is None or value == "":
        raise ValueError("the label is missing; give the row a label or remove it")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    for known in (choices, names) if isinstance(value, str) else ():
        if value in known:
            return known.index(value)
    if str(value).isdecimal() and int(value) < len(choices):
        return int(value)
    raise ValueError(f"the label {value!r} is not one of the {len(choices)} choices; give its place, counted from 0")


def _cut(tokenizer: "PreTrainedTokenizerBase", context: str, second: str, limit: int) -> dict[str, list[int]]:
    """The tokenizer's columns of a pair that is too long."""
    room = limit - tokenizer.num_special_tokens_to_add(True)
    alone = len(tokenizer(second, add_special_tokens=False, verbose=False)["input_ids"])
    way = "only_first" if alone < room else "longest_first"
    return dict(tokenizer(context, second, truncation=way, max_length=limit, verbose=False))


def _errors(examples: "Dataset") -> Iterator[RowError]:
    for row, example in enumerate(rows(examples)):
        if is_blank(example["context"]):
            yield row, "the context is empty; write it or remove the row"
        if any(map(is_blank, example["choices"])):
            yield row, "a choice is empty; write it or remove the row"
        elif len(set(example["choices"])) < len(example["choices"]):
            yield row, "a choice is there twice, and only one can be right; remove one of them"


def _notes(examples: "Dataset") -> Iterator[str]:
    counts = [len(choices) for (choices,) in values(examples, "choices")]
    chance = np.mean([1 / count for count in counts])
    yield f"{min(counts)} to {max(counts)} choices; chance is right in {chance:.1%}"


def choice_loss(outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
    """Cross-entropy over the real choices of each row; see `Task.loss`."""
    from torch.nn import functional

    logits = outputs["logits"].float().masked_fill(~batch["loss_choices"], -np.inf)  # (B, C)
    total = functional.cross_entropy(logits, batch["labels"], ignore_index=IGNORE, reduction="sum")
    return total / (items_in(batch) if items is None else items)


def choice_logits(outputs: Any, features: Features) -> list[Any]:
    """B x (choices,)"""
    logits = outputs["logits"].float().cpu().numpy()  # (B, C)
    return [row[: len(ids)] for row, ids in zip(logits, features["input_ids"], strict=True)]


def chosen(logits: np.ndarray, choices: Sequence[str]) -> Prediction:
    """The prediction of one row from its logits (choices,)."""
    from scipy.special import softmax

    probabilities = softmax(logits.astype(np.float64))
    best = int(logits.argmax())
    return {
        "choice": choices[best],
        "label": best,
        "score": float(probabilities[best]),
        "probabilities": probabilities.tolist(),
    }


def _predictions(items: list[Any], split: EncodedSplit) -> list[Prediction]:
    return [
        chosen(logits, choices) for logits, (choices,) in zip(items, values(split.examples, "choices"), strict=True)
    ]


def _confidence(predictions: list[Prediction], references: list[str]) -> dict[str, Any]:
    most = max((len(prediction["probabilities"]) for prediction in predictions), default=0)
    decisions = [
        ([row["score"]], [str(row["label"]) == right]) for row, right in zip(predictions, references, strict=True)
    ]
    probabilities = [
        {str(i): row["probabilities"][i] if i < len(row["probabilities"]) else 0.0 for i in range(most)}
        for row in predictions
    ]
    return {"decisions": decisions, "probabilities": probabilities}
