"""Rows that say the same: duplicates and contradictions within a part, leaks between parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hf_tasks.checks.finding import Finding, Seen, found, pairs_of_places
from hf_tasks.checks.hashes import mix, row_hashes
from hf_tasks.data import Part
from hf_tasks.tasks import Task

UNORDERED = ("labels", "answers")
"""Targets that are sets, however a file lists them."""


@dataclass(frozen=True)
class Hashes:
    """What rows say, as numbers (E,): their input, and input and target together."""

    input: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, part: Part, task: Task) -> "Hashes":
        asked = row_hashes(part.examples, task.traits.compared)
        answered = row_hashes(part.examples, [task.columns.target(part.examples.column_names)], unordered=UNORDERED)
        return cls(asked, mix(asked, answered))


def findings(parts: dict[str, Part], hashes: dict[str, Hashes], task: Task) -> Iterator[Finding]:
    yield from within(parts, hashes, task)
    yield from between(parts, hashes, task)
    yield from groups(parts, task)


def within(parts: dict[str, Part], hashes: dict[str, Hashes], task: Task) -> Iterator[Finding]:
    """Inputs that stand again in their part: with the same target, with another one."""
    same, other = [], []
    for name, part in parts.items():
        _, firsts, inverse = np.unique(hashes[name].whole, return_index=True, return_inverse=True)
        again = np.flatnonzero(firsts[inverse] != np.arange(len(part)))
        same += _seen(name, part, again, part, firsts[inverse[again]])
        if task.traits.one_answer or name != "train":
            rows, before = _contradictions(hashes[name].input, np.sort(firsts))
            other += _seen(name, part, rows, part, before)
    targets, remedy = task.traits.targets, "correct them, or remove the rows"
    if not task.traits.one_answer:
        remedy = f"score them as one row with a list of {targets}"
    yield from found("conflict", f"{task.traits.examples} repeated with other {targets}", remedy, other)
    remedy = "remove them, or they count more than others"
    yield from found("repeat", f"{task.traits.examples} repeated with the same {targets}", remedy, same)


def _contradictions(inputs: np.ndarray, different: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the `different` rows, those whose input stood before (with another target), and where it stood first."""
    _, firsts, inverse = np.unique(inputs[different], return_index=True, return_inverse=True)
    again = np.flatnonzero(firsts[inverse] != np.arange(len(different)))
    return different[again], different[firsts[inverse[again]]]


def between(parts: dict[str, Part], hashes: dict[str, Hashes], task: Task) -> Iterator[Finding]:
    """Inputs that stand in two parts."""
    names, unit = list(parts), task.traits.examples
    for number, one in enumerate(names):
        seen, differ = [], 0
        for other in names[number + 1 :]:
            rows, at = common(hashes[other].input, hashes[one].input)
            seen += _seen(other, parts[other], rows, parts[one], at)
            differ += (
                int((~np.isin(hashes[other].whole[rows], hashes[one].whole)).sum()) if task.traits.one_answer else 0
            )
        remedy = f"remove them from {one}, or scores are not those of unseen {unit}"
        if differ:
            remedy = f"{differ:,} of them have other {task.traits.targets} there; {remedy}"
        yield from found("leak", f"{unit} that are in {one} too", remedy, seen)


def groups(parts: dict[str, Part], task: Task) -> Iterator[Finding]:
    """Rows that share what must not stand in two parts, such as the context of other questions."""
    if not task.traits.group:
        return
    hashes = {name: row_hashes(part.examples, [task.traits.group]) for name, part in parts.items()}
    for one, other in combinations(parts, 2):
        rows, at = common(hashes[other], hashes[one])
        seen = _seen(other, parts[other], rows, parts[one], at)
        text = f"{task.traits.examples} whose {task.traits.group} is in {one} too"
        yield from found("leak", text, f"let each {task.traits.group} stand in one part", seen)


def _seen(name: str, part: Part, rows: np.ndarray, other: Part, others: np.ndarray) -> list[Seen]:
    if not len(rows):
        return []
    return [Seen(f"{len(rows):,} of {len(part):,} in {name}", pairs_of_places(part, rows, other, others))]


def common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places in `one` (N,) of values that `other` (M,) has, and the first place of each in `other`."""
    different, firsts = np.unique(other, return_index=True)
    at = np.searchsorted(different, one)
    at[at == len(different)] = 0
    rows = np.flatnonzero(different[at] == one) if len(different) else np.zeros(0, np.int64)
    return rows, firsts[at[rows]]
