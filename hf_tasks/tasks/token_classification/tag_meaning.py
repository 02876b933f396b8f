"""What tags encode: plain labels, word boundaries, or entities."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hf_tasks.metrics.tag_schemes import Entity, Scheme, Tags, aliens, broken, chunks, entities, surface
from hf_tasks.tasks.types import Example, Issue, Prediction, values

if TYPE_CHECKING:
    from datasets import Dataset


class Meaning(ABC):
    metrics: ClassVar[tuple[str, ...]]
    """What is measured where the recipe does not say."""
    marks: ClassVar[str]
    """What the tags mark, as `Metric.reads` names it."""

    @abstractmethod
    def summary(self, rows: list[list[str]]) -> str:
        """How much there is of it in the tags of sentences."""

    def found(self, example: Example, tags: list[str], scores: np.ndarray) -> Prediction:
        """What a prediction has beside its tags; `scores`: their probabilities."""
        return {}

    def train_stats(self, rows: list[Tags]) -> dict[str, Any]:
        """Statistics of the training tags that metrics need."""
        return {}


class Nothing(Meaning):
    """Such as parts of speech."""

    metrics = ("tagging_accuracy",)
    marks = ""

    def summary(self, rows: list[list[str]]) -> str:
        return f"{sum(map(len, rows))} words, {len({tag for row in rows for tag in row})} different tags"


class Words(Meaning):
    """The tokens are characters."""

    metrics = ("word_segmentation", "tagging_accuracy")
    marks = "words"

    def summary(self, rows: list[list[str]]) -> str:
        return f"{sum(map(len, rows))} characters, {sum(len(chunks(row)) for row in rows)} words"

    def found(self, example: Example, tags: list[str], scores: np.ndarray) -> Prediction:
        return {"words": ["".join(example["tokens"][start:end]) for start, end, _ in chunks(tags)]}

    def train_stats(self, rows: list[Tags]) -> dict[str, Any]:
        return {"known_words": sorted({"".join(row.tokens[w.start : w.end]) for row in rows for w in chunks(row)})}


@dataclass(frozen=True)
class Entities(Meaning):
    metrics = ("entity_f1", "entity_errors", "unseen_entity_recall")
    marks = "entities"

    scheme: Scheme

    def summary(self, rows: list[list[str]]) -> str:
        types = Counter(entity.type for row in rows for entity in entities(row, self.scheme))
        named = ": " * bool(types) + ", ".join(f"{count} {kind}" for kind, count in types.most_common())
        return f"{sum(map(len, rows))} words, tags of scheme {self.scheme}, {types.total()} entities{named}"

    def found(self, example: Example, tags: list[str], scores: np.ndarray) -> Prediction:
        return {
            "entities": [
                _place(one, example) | {"label": one.type, "score": float(scores[one.start : one.end].mean())}
                for one in entities(tags, self.scheme)
            ]
        }

    def train_stats(self, rows: list[Tags]) -> dict[str, Any]:
        known = {surface(row.tokens[e.start : e.end]) for row in rows for e in entities(row, self.scheme)}
        return {"scheme": self.scheme, "known_entities": sorted(known)}


def meaning(scheme: Scheme) -> Meaning:
    match scheme:
        case "none":
            return Nothing()
        case "segmentation":
            return Words()
        case _:
            return Entities(scheme)


def _place(entity: Entity, example: Example) -> Prediction:
    """Where an entity is: in a text, its characters, else its words; each as first, and the one after the last."""
    if "offsets" in example:
        start, end = example["offsets"][entity.start][0], example["offsets"][entity.end - 1][1]
        return {"text": example["text"][start:end], "start": start, "end": end}
    text = surface(example["tokens"][entity.start : entity.end])
    return {"text": text, "start_word": entity.start, "end_word": entity.end}


def warnings(examples: "Dataset", labels: tuple[str, ...], scheme: Scheme) -> Iterator[Issue]:
    """Tags that name no entity: those that break the rules of their scheme, those of another one."""
    if alien := aliens(labels, scheme):
        rows = [row for row, (tags,) in enumerate(values(examples, "tags")) if not alien.isdisjoint(tags)]
        if rows:
            yield Issue("oddity", f"sentences with tags of another scheme than {scheme}, such as {min(alien)}",
                "write one scheme everywhere, or name it as task.scheme", rows=rows)  # fmt: skip
    elif scheme == "none" and "O" in labels:
        others = set(labels) - {"O"}
        rows = [row for row, (tags,) in enumerate(values(examples, "tags")) if not others.isdisjoint(tags)]
        if rows:
            text = (
                f"sentences with tags of no known scheme, such as {min(others)}; they are scored word by word, not as"
            )
            yield Issue("oddity", f"{text} entities", "write entities as B-TYPE and I-TYPE", rows=rows)
    if scheme in ("none", "segmentation"):
        return
    rows_of_tags = enumerate(values(examples, "tags"))
    wrong = [(row, len(found)) for row, (tags,) in rows_of_tags if (found := broken(tags, scheme))]
    if wrong:
        rows, count = [row for row, _ in wrong], sum(count for _, count in wrong)
        yield Issue("oddity", f"stretches of tags that break the rules of {scheme} and name no entity",
            "correct the tags, or name their scheme as task.scheme", rows=rows, count=count)  # fmt: skip
