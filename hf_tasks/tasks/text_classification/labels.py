"""Labels in rows: names, indices in a list of labels, several labels, numbers; and how much each label counts."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from hf_tasks.core.section import did_you_mean
from hf_tasks.tasks.types import is_blank

ClassWeights = Literal["balanced"] | dict[str, float]

FLAGS = {"0": False, "1": True, "false": False, "true": True, "0.0": False, "1.0": True}


def label_of(value: Any, labels: tuple[str, ...], *, indices: bool) -> str:
    """A label's name; with `indices`, and among labels that are no numbers, a whole number counts as a label's place.

    Raises ValueError, as all functions here: what is wrong, what to do.
    """
    if isinstance(value, list | tuple | dict):
        raise ValueError('several labels in the column "label"; name it with data.columns: {labels: NAME}')
    if value is None or value != value or (isinstance(value, str) and is_blank(value)):
        raise ValueError("the label is empty; give the row a label or remove it")
    name = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if not indices or name in labels or not name.isdecimal():
        return name
    named = any(label.isdecimal() for label in labels)
    return name if named or int(name) >= len(labels) else labels[int(name)]


def numbers_first(label: str) -> tuple[int, float, str]:
    """Sorts "2" before "10", and names after numbers."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def several(value: Any, separator: str | None) -> Iterable[Any]:
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
        case str() if separator:
            return [label.strip() for label in value.split(separator) if label.strip()]
        case list() | tuple():
            return value
        case _:
            return [value] if value != "" else []


def _flag(value: Any, name: str) -> bool:
    flag = FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f'column "{name}" must be 0 or 1 for each row, found {value!r}')
    return flag


def score_of(value: Any) -> float:
    """A finite number."""
    if value is None or value == "":
        raise ValueError("the score is empty; give the row a number or remove it")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"the score {value!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"the score is {number}; give the row a finite number or remove it")
    return number


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
