"""Detection: a task that a dataset allows; Wishes: the user's options; Reading: the examples in a sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import TypeAdapter

from hf_tasks.core.errors import DataError
from hf_tasks.core.section import did_you_mean
from hf_tasks.data.columns import renaming
from hf_tasks.recipe.init.columns import Columns
from hf_tasks.recipe.init.sample import RowSample
from hf_tasks.tasks import AnyTask, Task
from hf_tasks.tasks.types import Example

TaskName = Literal[
    "text-classification", "token-classification", "question-answering", "summarization", "translation",
    "text2text-generation", "fill-mask", "multiple-choice", "text-generation", "coreference", "sentence-similarity",
]  # fmt: skip
Names = dict[str, str | tuple[str, ...]]
"""The task's name of a column -> its name(s) in the file."""
TEXT_TO_TEXT = ("summarization", "text2text-generation")
FIRST_INPUTS = ("text", "tokens", "question", "source", "prompt", "sentence1", "anchor")
TARGETS = ("label", "labels", "score", "tags", "spans", "answers", "answer_text", "target", "completion", "positive")


@dataclass(frozen=True)
class Detection:
    """A task that the columns of a dataset allow."""

    task: TaskName
    kind: str
    """A description, e.g. "one of two labels"."""
    reason: str
    columns: Names
    keys: dict[str, Any] = field(default_factory=dict)
    """Other keys of the recipe's `task`."""
    alternatives: tuple[str, ...] = ()
    """Other interpretations of the same columns, and how to write them in the recipe."""
    score: float = 0.0
    """Plausibility compared with other detections."""

    def with_inputs(self, inputs: Names, kind: str) -> "Detection":
        return replace(self, columns={**inputs, **self.columns}, kind=kind + self.kind)

    def and_also(self, alternative: str) -> "Detection":
        return replace(self, alternatives=(*self.alternatives, alternative))

    def options(self) -> str:
        """Return the options of `init` that select this detection."""
        inputs = [("--text", self.columns.get(name)) for name in FIRST_INPUTS]
        targets = [("--label", self.columns.get(name)) for name in TARGETS]
        given = [*inputs, *(("--pair", self.columns.get(name)) for name in ("text_pair", "sentence2")), *targets]
        named = [f"{option} {_quoted(name)}" for option, name in given if isinstance(name, str)]
        return " ".join([f"--task {self.task}", *named])


@dataclass(frozen=True)
class Wishes:
    """The user's options of `init`: the task and the columns of the text, the second text, and the label or target."""

    task: str | None = None
    text: str | None = None
    pair: str | None = None
    label: str | None = None

    @property
    def empty(self) -> bool:
        return self == Wishes()

    def check(self, columns: Columns, where: str) -> None:
        """Raise DataError if a named column does not exist."""
        problems = [
            f"--{option} {name}: {where} has no such column{did_you_mean(name, columns)} (it has {', '.join(columns)})"
            for option in ("text", "pair", "label")
            if (name := getattr(self, option)) and name not in columns
        ]
        if problems:
            raise DataError(*problems)

    def allow(self, found: Detection) -> bool:
        used = {name for names in found.columns.values() for name in ((names,) if isinstance(names, str) else names)}
        tasks = (found.task, *TEXT_TO_TEXT) if found.task in TEXT_TO_TEXT else (found.task,)
        return {self.text, self.pair, self.label} - {None} <= used and (not self.task or self.task in tasks)

    def apply(self, found: Detection) -> Detection:
        """Return the detection with the task that the user named."""
        return replace(found, task=self.task) if self.task else found  # type: ignore[arg-type]

    def impossible(self, columns: Columns) -> str:
        """Return the message for options that the columns do not allow."""
        options = [f"--{name} {value}" for name, value in vars(self).items() if value]
        shown = ", ".join(column.example() for column in list(columns.values())[:12])
        return f"{' '.join(options)}: impossible with the columns {shown}; omit an option, or name other columns"


@dataclass(frozen=True)
class Reading:
    """The examples in a sample."""

    examples: list[Example]
    bad: tuple[str, ...]
    """Messages for invalid rows."""
    used: frozenset[str]
    """The columns of the file that the task reads."""


def task_of(found: Detection) -> Task:
    keys = {key: tuple(value) if isinstance(value, list) else value for key, value in found.keys.items()}
    task: Task = TypeAdapter(AnyTask).validate_python({"name": found.task, **keys})
    return task


def names_for(found: Detection, task: Task, columns: Sequence[str]) -> Names:
    """Return the value for `data.columns`: {} if the task finds its columns by their names."""
    differing = {name: source for name, source in found.columns.items() if name != source}
    for names in ({}, differing):
        if _reads(names, found, task, columns):
            return names
    return dict(found.columns)


def examples(sample: RowSample, names: Names, task: Task) -> Reading:
    """Parse the rows of a sample with a task. Raises ValueError if columns are missing."""
    rename = renaming(sample.columns, names, task, labelled=True)
    good, bad = [], list(sample.bad)
    for row in sample.rows:
        try:
            good.append(task.parse(rename(row)))
        except ValueError as e:
            bad.append(str(e))
    several = (name for sources in rename.several.values() for name in sources)
    return Reading(good, tuple(bad), frozenset((*rename.one.values(), *several)))


def _reads(names: Names, found: Detection, task: Task, columns: Sequence[str]) -> bool:
    try:
        rename = renaming(columns, names, task, labelled=True)
    except ValueError:
        return False
    read: dict[str, Any] = {**rename.one, **rename.several}
    others = {name for name in (*task.columns.targets, "text_pair") if name in read and name not in found.columns}
    return not others and all(read.get(name) == source for name, source in found.columns.items())


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
