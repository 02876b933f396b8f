"""How a recipe must name the columns for the task to read what was recognised; and the examples that it then reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from hf_tasks.data.columns import renaming
from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.sample import Sample
from hf_tasks.tasks import AnyTask, Task
from hf_tasks.tasks.examples import Row

Names = dict[str, str | tuple[str, ...]]


@dataclass(frozen=True)
class Reading:
    """The examples in a sample."""

    examples: list[Row]
    bad: tuple[str, ...]
    """What is wrong with rows that cannot be used."""
    used: frozenset[str]
    """The file's columns that are read."""


def task_of(finding: Finding) -> Task:
    task: Task = TypeAdapter(AnyTask).validate_python(
        {"name": finding.task, **{key: _frozen(value) for key, value in finding.keys.items()}}
    )
    return task


def names_for(finding: Finding, task: Task, found: Sequence[str]) -> Names:
    """What `data.columns` must say: nothing, where the task finds the columns by itself."""
    differing = {name: source for name, source in finding.columns.items() if name != source}
    for names in ({}, differing):
        if _reads(names, finding, task, found):
            return names
    return dict(finding.columns)


def examples(sample: Sample, names: Names, task: Task) -> Reading:
    """Raises ValueError where columns are missing: what is missing, what to do."""
    rename = renaming(sample.columns, names, task, labelled=True)
    good, bad = [], list(sample.bad)
    for row in sample.rows:
        try:
            good.append(task.example(rename(row)))
        except ValueError as e:
            bad.append(str(e))
    several = (name for sources in rename.several.values() for name in sources)
    return Reading(good, tuple(bad), frozenset((*rename.one.values(), *several)))


def _reads(names: Names, finding: Finding, task: Task, found: Sequence[str]) -> bool:
    try:
        rename = renaming(found, names, task, labelled=True)
    except ValueError:
        return False
    read: dict[str, Any] = {**rename.one, **rename.several}
    others = {name for name in (*task.targets, "text_pair") if name in read and name not in finding.columns}
    return not others and all(read.get(name) == source for name, source in finding.columns.items())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
