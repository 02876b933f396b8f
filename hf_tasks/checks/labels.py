"""Labels: how often each one occurs, which are rare or absent, which are spelled in two ways."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hf_tasks.checks.finding import Finding
from hf_tasks.checks.hashes import tables

if TYPE_CHECKING:
    from datasets import Dataset

CLASSES = ("label", "labels")
"""Targets that are labels of whole examples."""
NAMES = (*CLASSES, "tags")
FEW = 10
"""Training examples below which a label is said to have few."""
UNEVEN = 10
"""How many times the rarest label the most frequent one has, from where it is a finding."""
LISTED = 6
"""Labels that a line names."""


def counts(examples: "Dataset", column: str) -> dict[str, int]:
    """How many times each value of a column of texts, or of lists of them, occurs."""
    import pyarrow.types

    total: dict[str, int] = {}
    for table in tables(examples, [column]):
        values = table[column]
        found = (values if pyarrow.types.is_string(values.type) else values.flatten()).value_counts()
        for name, count in zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True):
            total[name] = total.get(name, 0) + count
    return total


def fact(found: dict[str, int]) -> str:
    """`3,310 negative, 3,610 positive`, or the most frequent and the rarest of many."""
    ranked = sorted(found, key=lambda name: (-found[name], name))
    if len(ranked) <= LISTED:
        return ", ".join(f"{found[name]:,} {name}" for name in ranked)
    most, least = ranked[0], ranked[-1]
    return f"{len(ranked)} labels, from {found[most]:,} {most} to {found[least]:,} {least}"


def spellings(found: dict[str, int]) -> Iterator[Finding]:
    """Labels that differ only by case or blanks."""
    alike: dict[str, list[str]] = {}
    for name in found:
        alike.setdefault("".join(name.split()).casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            ranked = sorted(names, key=lambda name: (-found[name], name))
            listed = ", ".join(f'"{name}" {found[name]:,} times' for name in ranked)
            yield Finding(
                "labels", f"train: labels differ only by case or blanks: {listed}",
                f'write "{ranked[0].strip()}" in all rows, or they are learned as different labels',
            )  # fmt: skip


def balance(labels: Sequence[str], found: dict[str, dict[str, int]]) -> Iterator[Finding]:
    """Labels with few or no training examples, and a most frequent one that outnumbers the rarest. `found`: the counts
    of each part."""
    train = found["train"]
    rare = sorted((name for name in train if train[name] < FEW), key=lambda name: (train[name], name))
    absent = [name for name in labels if name not in train]
    if absent:
        tested = {name: sum(counts.get(label, 0) for label in absent) for name, counts in found.items()}
        also = ", ".join(f"{name} has {count:,} of them" for name, count in tested.items() if count)
        yield Finding(
            "few", f"train: {len(absent)} of {len(labels)} labels have no example: {_listed(absent)}"
            + (f"; {also}" if also else ""), "they cannot be learned; add examples, or leave them out of task.labels",
        )  # fmt: skip
    if rare:
        named = _listed([f"{name} {train[name]}" for name in rare])
        yield Finding(
            "few", f"train: {len(rare)} of {len(train)} labels have fewer than {FEW} examples: {named}",
            "add examples, or join these labels",
        )  # fmt: skip
    most, least = max(train, key=lambda n: train[n]), min(train, key=lambda n: train[n])
    if train[most] >= UNEVEN * train[least]:
        yield Finding(
            "balance", f"train: the rarest label has {train[least]:,} examples ({least}), the most frequent "
            f"{train[most]:,} ({most})", "choose by macro F1; accuracy hides rare labels",
        )  # fmt: skip


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
