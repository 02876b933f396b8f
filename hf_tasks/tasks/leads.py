"""Summaries without a model: the first sentences of a text, or its longest one. Of several lines, such as the turns of
a dialogue, a line counts as a sentence."""

import re
from collections.abc import Callable, Mapping

from hf_tasks.tasks.types import Example

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def sentences(text: str) -> list[str]:
    """The lines of a text, or the sentences of a single one; at least one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines if len(lines) > 1 else [one for one in _END.split(text.strip()) if one] or [text]


def leads(column: str) -> Mapping[str, Callable[[Example], str]]:
    """Baselines of a task whose examples have the text in a column; see `Traits.baselines`."""
    return {
        "the first sentence": lambda example: sentences(example[column])[0],
        "the first three sentences": lambda example: " ".join(sentences(example[column])[:3]),
        "the longest sentence": lambda example: max(sentences(example[column]), key=len),
    }
