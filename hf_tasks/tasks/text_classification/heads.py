"""The three heads of text classification: what each one learns, and how its predictions follow from the logits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from hf_tasks.metrics.calibration import temperature_of_flags, temperature_of_labels
from hf_tasks.metrics.thresholds import NEUTRAL, best_for_f1, best_for_metric
from hf_tasks.tasks.types import Prediction

if TYPE_CHECKING:
    from torch import Tensor

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]

SINGLE_LABEL_ONLY = "only single-label classification has class weights; remove them"
NOT_SEPARATED = "only several labels are separated; name their column with data.columns: {labels: NAME}, or remove it"
NO_PROBABILITIES = "regression predicts a number and has no probabilities; remove it"
SMALLEST = 1e-12
"""The least 1 - p: a power of 0 below 1 has no gradient."""


class Head(ABC):
    target: ClassVar[str]
    """The column that holds what is to be predicted, in examples and in predictions."""
    metrics: ClassVar[tuple[str, ...]]
    """What is measured where the recipe does not say."""
    refused: ClassVar[dict[str, str]]
    """Keys of the task that it does not have: why; what to do."""

    @abstractmethod
    def head_config(self) -> dict[str, Any]:
        """The keys of the model's configuration."""

    @abstractmethod
    def learned(self, targets: Sequence[Any]) -> list[Any]:
        """What the model learns for the values of the target column, one per example."""

    @abstractmethod
    def loss(self, logits: "Tensor", learned: "Tensor") -> "Tensor":
        """The sum over a batch's logits (B, C) and what is learned of them."""

    @abstractmethod
    def predictions(self, logits: np.ndarray) -> list[Prediction]:
        """For logits (E, C)."""

    def references(self, targets: Sequence[Any]) -> list[Any]:
        return list(targets)

    def confidence(self, predictions: list[Prediction], references: list[Any]) -> dict[str, Any]:
        """As of `MetricInputs`."""
        return {}


class Regression(Head):
    """To a number."""

    target = "score"
    metrics = ("pearson", "spearman", "mse")
    refused: ClassVar[dict[str, str]] = {
        "labels": "regression predicts a number and has no labels; remove them",
        "class_weights": SINGLE_LABEL_ONLY,
        "focal_gamma": NO_PROBABILITIES,
        "label_separator": NOT_SEPARATED,
        "threshold": NO_PROBABILITIES,
        "temperature": NO_PROBABILITIES,
    }

    def head_config(self) -> dict[str, Any]:
        return {"num_labels": 1, "problem_type": "regression", "id2label": {0: "score"}, "label2id": {"score": 0}}

    def learned(self, targets: Sequence[Any]) -> list[Any]:
        return [float(score) for score in targets]

    def loss(self, logits: "Tensor", learned: "Tensor") -> "Tensor":
        from torch.nn import functional

        return functional.mse_loss(logits.squeeze(-1), learned, reduction="sum")

    def predictions(self, logits: np.ndarray) -> list[Prediction]:
        return [{"score": float(row[0])} for row in logits]


@dataclass(frozen=True)
class SingleLabel(Head):
    """To the most probable label; of two labels, to the second one where its probability is above a threshold."""

    target = "label"
    metrics = ("accuracy", "f1", "matthews_correlation")
    refused: ClassVar[dict[str, str]] = {"label_separator": NOT_SEPARATED}

    labels: tuple[str, ...]
    weights: dict[str, float] | None
    """Of each label's examples in the loss."""
    temperature: float
    """Divides the logits."""
    thresholds: tuple[float, ...]
    """Of each label."""
    gamma: float = 0.0
    """Of the focal loss."""

    def head_config(self) -> dict[str, Any]:
        return {"problem_type": "single_label_classification", **_names(self.labels)}

    def learned(self, targets: Sequence[Any]) -> list[Any]:
        """Label ids."""
        ids = {label: i for i, label in enumerate(self.labels)}
        return [ids[label] for label in targets]

    def loss(self, logits: "Tensor", learned: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        weights = None
        if self.weights is not None:
            weights = torch.tensor([self.weights[label] for label in self.labels], device=logits.device)
        if not self.gamma:
            return functional.cross_entropy(logits, learned, weights, reduction="sum")
        losses = focal(functional.cross_entropy(logits, learned, reduction="none"), self.gamma)
        return (losses if weights is None else losses * weights[learned]).sum()

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(E, C), as the logits."""
        from scipy.special import softmax

        return np.asarray(softmax(logits / self.temperature, axis=1))

    def predictions(self, logits: np.ndarray) -> list[Prediction]:
        rows = self.probabilities(logits)
        threshold = self.thresholds[-1]
        chosen = rows.argmax(axis=1) if threshold == NEUTRAL else (rows[:, 1] > threshold).astype(int)
        return [
            {"label": self.labels[best], "score": float(row[best]), "probabilities": _by_label(self.labels, row)}
            for row, best in zip(rows, chosen, strict=True)
        ]

    def confidence(self, predictions: list[Prediction], references: list[Any]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        decisions = [([row["score"]], [row["label"] == right]) for row, right in pairs]
        return {"decisions": decisions, "probabilities": [row["probabilities"] for row in predictions]}

    def best_temperature(self, logits: np.ndarray, targets: Sequence[Any]) -> float:
        return temperature_of_labels(logits, np.array(self.learned(targets)))

    def best_threshold(self, logits: np.ndarray, targets: Sequence[Any], metric: str) -> float:
        return best_for_metric(metric, self.probabilities(logits)[:, 1], targets, self.labels)


@dataclass(frozen=True)
class MultiLabel(Head):
    """To every label whose probability is above its threshold."""

    target = "labels"
    metrics = ("f1", "precision", "recall", "accuracy")
    refused: ClassVar[dict[str, str]] = {"class_weights": SINGLE_LABEL_ONLY}

    labels: tuple[str, ...]
    temperature: float
    thresholds: tuple[float, ...]
    gamma: float = 0.0

    def head_config(self) -> dict[str, Any]:
        return {"problem_type": "multi_label_classification", **_names(self.labels)}

    def learned(self, targets: Sequence[Any]) -> list[Any]:
        """One 0.0 or 1.0 per label."""
        return [[float(label in chosen) for label in self.labels] for chosen in map(set, targets)]

    def loss(self, logits: "Tensor", learned: "Tensor") -> "Tensor":
        from torch.nn import functional

        if not self.gamma:
            return functional.binary_cross_entropy_with_logits(logits, learned, reduction="sum")
        return focal(functional.binary_cross_entropy_with_logits(logits, learned, reduction="none"), self.gamma).sum()

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(E, C), as the logits."""
        from scipy.special import expit

        return np.asarray(expit(logits / self.temperature))

    def predictions(self, logits: np.ndarray) -> list[Prediction]:
        return [
            {
                "labels": [label for label, over in zip(self.labels, row > self.thresholds, strict=True) if over],
                "probabilities": _by_label(self.labels, row),
            }
            for row in self.probabilities(logits)
        ]

    def references(self, targets: Sequence[Any]) -> list[Any]:
        """In the order of the labels."""
        return [[label for label in self.labels if label in chosen] for chosen in map(set, targets)]

    def confidence(self, predictions: list[Prediction], references: list[Any]) -> dict[str, Any]:
        sure = [row["probabilities"] for row in predictions]
        decisions = [
            (list(row.values()), [label in right for label in row]) for row, right in zip(sure, references, strict=True)
        ]
        return {"decisions": decisions, "probabilities": sure}

    def best_temperature(self, logits: np.ndarray, targets: Sequence[Any]) -> float:
        return temperature_of_flags(logits, np.array(self.learned(targets)))

    def best_threshold(self, logits: np.ndarray, targets: Sequence[Any], metric: str) -> dict[str, float]:
        """Of each label, for its F1."""
        flags = np.array(self.learned(targets))
        columns = zip(self.labels, self.probabilities(logits).T, flags.T, strict=True)
        return {label: best_for_f1(column, of_label) for label, column, of_label in columns}


def focal(losses: "Tensor", gamma: float) -> "Tensor":
    """Return (1 - p)^gamma * losses, where p = exp(-losses) is the probability of what is right.

    The focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002) without its weights of the classes.
    """
    import torch

    return (-torch.expm1(-losses)).clamp_min(SMALLEST) ** gamma * losses


HEADS: dict[ProblemType, type[SingleLabel | MultiLabel | Regression]] = {
    "single_label_classification": SingleLabel,
    "multi_label_classification": MultiLabel,
    "regression": Regression,
}
PROBLEM_OF_TARGET = {kind.target: name for name, kind in HEADS.items()}


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def _by_label(labels: Sequence[str], row: np.ndarray) -> dict[str, float]:
    return {label: float(p) for label, p in zip(labels, row, strict=True)}
