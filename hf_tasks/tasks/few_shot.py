"""Few-shot classification: a text gets the label of the labelled examples whose embeddings are closest to its own.

    {"text": "I am still waiting on my card?", "label": "card_arrival"}

The embeddings are trained so that texts of one label are close to each other and far from others (as in SetFit,
Tunstall et al. 2022, https://arxiv.org/abs/2209.11055). There is no head: a new label needs examples, and no training.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.core.section import did_you_mean
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.sentence_similarity.features import TextsCollator, features_of
from hf_tasks.tasks.sentence_similarity.losses import supervised_contrastive
from hf_tasks.tasks.sentence_similarity.ranks import unit
from hf_tasks.tasks.text_classification.labels import label_of, numbers_first
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


SINGLE = "each label has one example, so no two texts can be moved together: the embeddings stay as they are"


class FewShotClassification(Task):
    """Predict a label for a text by its similarity to a few labelled examples."""

    name: Literal["few-shot-classification"]
    examples: dict[str, tuple[str, ...]] = {}
    """The texts of each label that a text is compared with; the training examples where not given."""
    compare_with: Literal["centroid", "nearest"] = "centroid"
    """A label's similarity: the cosine of a text and the mean of the label's embeddings, or the highest cosine of a
    text and one of its examples."""
    scale: float = Field(20.0, gt=0)
    """Factor of the cosines in the loss and in the probabilities, the inverse of a temperature."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted(self.examples, key=numbers_first))

    # -- from rows to examples

    @property
    def columns(self) -> Columns:
        return Columns(required=("text",), targets=("label",), aliases={"sentence": "text"})

    @property
    def traits(self) -> Traits:
        return Traits(
            targets="labels",
            inputs=("text",),
            strata=_strata,
            label_column="label",
            class_labels=self.labels,
            mean_over_examples=False,
            loss_of_batches=True,
            support=self._support if self.examples else None,
            pipeline_tag="text-classification",
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModel", embeds=True)

    def parse(self, row: RawRow) -> Example:
        example: Example = {"text": text_of(row["text"], "text")}
        return example | ({"label": label_of(row["label"], (), indices=False)} if "label" in row else {})

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        found: dict[str, list[str]] = {}
        for text, label in values(train, "text", "label"):
            found.setdefault(label, []).append(text)
        examples = self.examples or {label: tuple(found[label]) for label in sorted(found, key=numbers_first)}
        if len(examples) < 2:
            raise ValueError(f"the training data has one label only ({', '.join(examples)}); two are needed to learn")
        return self.model_copy(update={"examples": examples, "metrics": self.metrics or ("accuracy", "f1")})

    def with_examples(self, examples: Sequence[Example]) -> Self:
        """A copy that compares with more examples, of known labels or of new ones."""
        known = {label: list(texts) for label, texts in self.examples.items()}
        for example in examples:
            known.setdefault(example["label"], []).append(example["text"])
        return self.model_copy(update={"examples": {label: tuple(texts) for label, texts in known.items()}})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        errors = (
            (row, text) for row, example in enumerate(rows(examples)) if (text := self._error(example)) is not None
        )
        single = self.examples and all(len(texts) == 1 for texts in self.examples.values())
        return Issues(errors, notes=[SINGLE] if single else [])

    def _error(self, example: Example) -> str | None:
        if is_blank(example["text"]):
            return "the text is empty; write it or remove the row"
        label = example.get("label")
        if label is not None and label not in self.examples:
            return f'label "{label}" has no example in the training data{did_you_mean(label, self.labels)}'
        return None

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        texts = [[text] for text in examples["text"]]
        features = features_of(texts, tokenizer, max_input_length(self.max_length, tokenizer))
        if "label" in examples:
            numbers = {label: i for i, label in enumerate(self.labels)}
            features["labels"] = [numbers[label] for label in examples["label"]]
        return features

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return TextsCollator(tokenizer)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        import torch

        embeddings = outputs["sentence_embedding"]  # (B, T, H)
        with torch.autocast(embeddings.device.type, enabled=False):
            return supervised_contrastive(embeddings.float(), batch["labels"], self.scale)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(_vectors, self._decode)

    def _support(self) -> list[Example]:
        return [{"text": text, "label": label} for label in self.labels for text in self.examples[label]]

    def _decode(self, items: list[Any], split: EncodedSplit) -> list[Prediction]:
        from scipy.special import softmax

        known, texts = unit(np.stack(split.support)), unit(np.stack(items))  # (S, H), (E, H)
        starts = np.cumsum([0, *(len(self.examples[label]) for label in self.labels)])[:-1]
        if self.compare_with == "centroid":
            cosines = texts @ unit(np.add.reduceat(known, starts)).T  # (E, labels)
        else:
            cosines = np.maximum.reduceat(texts @ known.T, starts, axis=1)
        return [
            {
                "label": self.labels[best],
                "score": float(row[best]),
                "similarity": float(cosine[best]),
                "probabilities": dict(zip(self.labels, row.tolist(), strict=True)),
            }
            for cosine, row in zip(cosines, softmax(self.scale * cosines.astype(np.float64), axis=1), strict=True)
            for best in [int(cosine.argmax())]
        ]

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        references = list(examples["label"][:])
        return MetricInputs(
            [prediction["label"] for prediction in predictions],
            references,
            context={"labels": self.labels},
            confidence=lambda: _confidence(predictions, references),
        )


def _strata(example: Example) -> tuple[str, ...]:
    return (example["label"],)


def _vectors(outputs: Any, features: Features) -> list[Any]:
    """B x (H,)"""
    return list(outputs["sentence_embedding"][:, 0].float().cpu().numpy())


def _confidence(predictions: list[Prediction], references: list[str]) -> dict[str, Any]:
    decisions = [([row["score"]], [row["label"] == right]) for row, right in zip(predictions, references, strict=True)]
    return {"decisions": decisions, "probabilities": [row["probabilities"] for row in predictions]}
