"""How much each label's examples count in the loss."""

from collections import Counter
from typing import Literal

from hf_tasks.block import did_you_mean

ClassWeights = Literal["balanced"] | dict[str, float]


def scaled(weights: ClassWeights, counts: Counter[str], labels: tuple[str, ...]) -> dict[str, float]:
    """Weights whose mean over the training examples is 1, so that they leave the learning rate's meaning alone; 1
    before scaling where a label has none. "balanced": inverse to the `counts` of the labels.

    Raises ValueError for a weight of no label.
    """
    if weights == "balanced":
        weights = {label: 1 / counts[label] if counts[label] else 1.0 for label in labels}
    if unknown := sorted(weights.keys() - set(labels)):
        hint = did_you_mean(unknown[0], labels) or "; remove it"
        raise ValueError(f'task.class_weights: "{unknown[0]}" is not one of the labels{hint}')
    mean = sum(weights.get(label, 1.0) * counts[label] for label in labels) / counts.total()
    return {label: weights.get(label, 1.0) / mean for label in labels}
