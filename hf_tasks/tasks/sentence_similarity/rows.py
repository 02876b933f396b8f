"""Values of rows: the label of a pair, and the negatives of an anchor."""

import json
from typing import Any

from hf_tasks.tasks.text_classification.labels import FLAGS
from hf_tasks.tasks.types import text_of


def label_of(value: Any) -> int:
    """1 for two texts that mean the same, else 0, from a number, a truth value or its name.

    Raises ValueError, as all functions here: what is wrong, what to do.
    """
    name = str(value).strip().casefold()
    if value is None or not name:
        raise ValueError("the label is empty; give the row a label or remove it")
    if name not in FLAGS:
        raise ValueError(f"the label {value!r} is neither 0 nor 1; write 1 for texts that mean the same, else 0")
    return int(FLAGS[name])


def negatives_of(value: Any) -> list[str]:
    """A list of texts, from none, one text, a list, or a JSON list."""
    if value is None:
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = [value]
    if isinstance(value, str):
        return [value] if value else []
    if not isinstance(value, list | tuple):
        raise ValueError(f"the negatives are no texts but {value!r}; write a text, or a list of texts")
    return [text_of(text, f"negative {i}") for i, text in enumerate(value, 1)]
