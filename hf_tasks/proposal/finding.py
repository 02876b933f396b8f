"""Finding: what a sample of rows was recognised as."""

from dataclasses import dataclass, field
from typing import Any, Literal

TaskName = Literal[
    "text-classification", "token-classification", "question-answering", "summarization", "translation",
    "text2text-generation",
]  # fmt: skip


@dataclass(frozen=True)
class Finding:
    task: TaskName
    kind: str
    """What people call it: "one label of several"."""
    reason: str
    columns: dict[str, str | tuple[str, ...]]
    """Canonical column: its name in the file."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Other keys of the recipe's `task`."""
    alternatives: tuple[str, ...] = ()
    """What else it could be and how the recipe would say so."""
