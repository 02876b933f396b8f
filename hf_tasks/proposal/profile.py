"""What a column of a file holds, by its values and by its name."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from hf_tasks.proposal.languages import words
from hf_tasks.tasks.examples import Row

Kind = Literal[
    "text", "label", "number", "list", "numbers", "spans", "languages", "identifier", "url", "date", "constant",
    "empty", "other",
]  # fmt: skip
LABEL_WORDS = 6
"""A label has fewer words than this on average."""
MOST_LABELS = 500

_IDENTIFIER = re.compile(r"(?i:(.*[_\-. ])?(id|idx|uuid|guid|index|key|hash)|unnamed.*|)|[A-Za-z]+I[Dd]")
_URL = re.compile(r"(https?://|www\.)\S+")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./]\d\d?[./]\d{2,4}( .*)?")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Column:
    """A column, and its values in a sample of rows."""

    name: str
    values: tuple[Any, ...]
    """Those that are there."""

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value occurs, as text, the most frequent first."""
        return Counter(dict(Counter(map(str, self.values)).most_common()))

    @cached_property
    def words(self) -> float:
        """Words in a value, on average."""
        return sum(words(str(value)) for value in self.values[:1000]) / max(1, len(self.values[:1000]))

    @cached_property
    def integers(self) -> bool:
        return all(re.fullmatch(r"[-+]?\d+(\.0)?", text) for text in self.counts)

    @property
    def few(self) -> bool:
        """Whether values come again and again, as labels do."""
        n, different = len(self.values), len(self.counts)
        return different < n and different <= max(2, min(n / 2, 0.2 * n + 5, MOST_LABELS))

    @property
    def flags(self) -> bool:
        return {text.lower() for text in self.counts} in ({"0", "1"}, {"true", "false"}, {"0.0", "1.0"})

    @cached_property
    def kind(self) -> Kind:
        if not self.values:
            return "empty"
        match self.values[0]:
            case dict():
                return "languages" if _of_texts(self.values[0]) else "other"
            case list():
                return self._kind_of_lists()
            case _:
                return self._kind_of_scalars()

    def _kind_of_lists(self) -> Kind:
        items = [item for value in self.values if isinstance(value, list) for item in value]
        match items[0] if items else "":
            case str():
                return "list"
            case int():
                return "numbers"
            case dict() | list():
                return "spans"
            case _:
                return "other"

    def _kind_of_scalars(self) -> Kind:
        texts, n = list(self.counts), len(self.values)
        if len(texts) == 1 and n > 1:
            return "constant"
        for kind, pattern in (("url", _URL), ("date", _DATE)):
            if sum(pattern.fullmatch(text) is not None for text in texts) > 0.9 * len(texts):
                return kind  # type: ignore[return-value]
        named = _IDENTIFIER.fullmatch(self.name) is not None
        if all(map(_NUMBER.fullmatch, texts)):
            counted = self.integers and len(texts) == n > 20
            return "identifier" if counted or named else "number"
        if self.few and self.words < LABEL_WORDS:
            return "identifier" if named else "label"
        codes = len(texts) == n > 1 and not any(" " in text for text in texts[:100]) and self.words < LABEL_WORDS
        return "identifier" if (named or codes) and self.words < LABEL_WORDS else "text"

    def example(self) -> str:
        """`name (a value ...)`, for messages."""
        text = " ".join(str(self.values[0]).split()) if self.values else "empty"
        return f'{self.name} ("{text if len(text) <= 30 else text[:27] + "..."}")'


def profile(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Column]:
    """The columns of rows, by name."""
    return {
        name: Column(name, tuple(value for row in rows if (value := row.get(name)) is not None and value != ""))
        for name in names
        if name
    }


def _of_texts(value: dict[str, Any]) -> bool:
    return len(value) > 1 and all(isinstance(text, str) for text in value.values())
