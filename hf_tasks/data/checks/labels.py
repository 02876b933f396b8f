"""Checks of labels and scores: counts, rare or absent labels, spelling variants, outliers."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.data import DataSplit
from hf_tasks.data.checks.duplicates import tables
from hf_tasks.data.checks.issue import SHOWN, Seen, places
from hf_tasks.data.checks.issue import found as found_in
from hf_tasks.tasks.types import Issue

if TYPE_CHECKING:
    from datasets import Dataset

RARE = 10
"""A label with fewer training examples is reported."""
IMBALANCE = 10
"""Ratio of the most frequent to the rarest label from which it is reported."""
OUTLIER_GAP = 0.2
"""Share of the scores' range; a score further than this from all others is an outlier."""
NO_LABEL = {
    "-", "--", "?", "??", ".", "_", "n/a", "na", "#n/a", "#ref!", "#value!", "nan", "<na>", "null", "nil", "missing",
    "todo", "tbd", "(none)", "(blank)", "unlabeled", "unlabelled",
}  # fmt: skip
SEPARATORS = ("|", ";", ",", "/", "+")
LISTED = 6
"""Maximum number of labels that a line names."""


def counts(examples: "Dataset", column: str) -> dict[str, int]:
    """Count the values of a column of strings or of lists of strings."""
    import pyarrow.types

    total: dict[str, int] = {}
    for table in tables(examples, [column]):
        values = table[column]
        found = (values if pyarrow.types.is_string(values.type) else values.flatten()).value_counts()
        for name, count in zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True):
            total[name] = total.get(name, 0) + count
    return total


def fact(found: dict[str, int]) -> str:
    """Describe the labels: `3,310 negative, 3,610 positive`, or the most frequent and the rarest of many."""
    ranked = sorted(found, key=lambda name: (-found[name], name))
    if len(ranked) <= LISTED:
        return ", ".join(f"{found[name]:,} {name}" for name in ranked)
    most, least = ranked[0], ranked[-1]
    return f"{len(ranked)} labels, from {found[most]:,} {most} to {found[least]:,} {least}"


def spellings(found: dict[str, int]) -> Iterator[Issue]:
    """Yield an issue for labels that differ only by case or blanks."""
    alike: dict[str, list[str]] = {}
    for name in found:
        alike.setdefault("".join(name.split()).casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            ranked = sorted(names, key=lambda name: (-found[name], name))
            listed = ", ".join(f'"{name}" {found[name]:,} times' for name in ranked)
            yield Issue(
                "labels", f"train: labels differ only by case or blanks: {listed}",
                f'write "{ranked[0].strip()}" in all rows; otherwise they are different labels',
            )  # fmt: skip


def no_labels(found: dict[str, int], target: str) -> Iterator[Issue]:
    """Yield an issue for labels such as "n/a" that seem to mean "no label". `found`: counts in train."""
    marks = {"_", "?", "n/a", "nan", "null"} if target == "tags" else NO_LABEL
    names = [name for name in found if name.strip().casefold() in marks]
    negative = [name for name in found if name[:1] == "-" and name not in names]
    if len(negative) == 1 and re.fullmatch(r"-\d+", negative[0]) and not set(found) <= {"-1", "0", "1"}:
        names += negative  # e.g. -1 or -100 beside 0, 1, 2
    if names:
        listed = ", ".join(f'"{name}" {found[name]:,} times' for name in names)
        yield Issue(
            "labels", f'train: labels that may mean "no label": {listed}',
            "they are learned as a class of their own; remove these rows unless that is intended",
        )  # fmt: skip


def notations(found: dict[str, int]) -> Iterator[Issue]:
    """Yield an issue for a label that consists of others, e.g. "joy;fear" if there are "joy" and "fear"."""
    for name in found:
        for mark in SEPARATORS:
            pieces = [piece.strip() for piece in name.strip("[](){}").replace("'", "").replace('"', "").split(mark)]
            if mark in name and len(pieces) > 1 and all(piece in found for piece in pieces):
                yield Issue(
                    "labels", f'train: the label "{name}" ({found[name]:,} times) seems to be several, separated by '
                    f'"{mark}"', "write all rows in one way: a list, or one task.label_separator",
                )  # fmt: skip
                return


def score_fact(scores: np.ndarray) -> str:
    """Describe the scores: `from 0 to 5, mean 2.6`."""
    return f"from {scores.min():g} to {scores.max():g}, mean {scores.mean():.3g}"


def far_scores(splits: dict[str, DataSplit]) -> Iterator[Issue]:
    """Yield an issue for outliers: at most 5 % of the scores, beyond a gap wider than a fifth of the range of train.

    The range is that of the middle 96 %. Negative scores are outliers if at least 98 % are not negative.
    """
    train = np.asarray(splits["train"].examples["score"][:])
    low, high = _without_far(train)
    seen = []
    for name, split in splits.items():
        scores = np.asarray(split.examples["score"][:])
        rows = np.flatnonzero((scores < low) | (scores > high))
        if len(rows):
            values = ", ".join(f"{scores[row]:g}" for row in rows[:SHOWN])
            seen.append(Seen(f"{values} in {name} ({len(rows):,} of {len(split):,})", places(split, rows)))
    what = f"scores far outside the others, which are from {low:g} to {high:g}"
    yield from found_in("labels", what, "correct them, or remove the rows", seen)


def _without_far(scores: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest score that are not outliers."""
    values = np.sort(scores)
    low, high = np.quantile(values, [0.02, 0.98], method="nearest")
    gaps = np.diff(values)
    usual = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    most, step = int(0.05 * len(values)), max(OUTLIER_GAP * (high - low), 1.5 * usual)
    ends = [i for i in range(most) if gaps[i] > step and values[i] < low]
    starts = [i for i in range(len(gaps) - most, len(gaps)) if gaps[i] > step and values[i + 1] > high]
    first = ends[-1] + 1 if ends else 0
    if 0 < (negative := int((values < 0).sum())) <= 0.02 * len(values):
        first = max(first, negative)
    return float(values[first]), float(values[starts[0] if starts else -1])


def balance(labels: Sequence[str], found: dict[str, dict[str, int]]) -> Iterator[Issue]:
    """Yield issues for absent, rare and imbalanced labels. `found`: the counts of each split."""
    train = found["train"]
    rare = sorted((name for name in train if train[name] < RARE), key=lambda name: (train[name], name))
    absent = [name for name in labels if name not in train]
    if absent:
        tested = {name: sum(counts.get(label, 0) for label in absent) for name, counts in found.items()}
        also = ", ".join(f"{name} has {count:,} of them" for name, count in tested.items() if count)
        yield Issue(
            "few", f"train: {len(absent)} of {len(labels)} labels have no example: {_listed(absent)}"
            + (f"; {also}" if also else ""), "they cannot be learned; add examples, or leave them out of task.labels",
        )  # fmt: skip
    if rare:
        named = _listed([f"{name} {train[name]}" for name in rare])
        yield Issue(
            "few", f"train: {len(rare)} of {len(train)} labels have fewer than {RARE} examples: {named}",
            "add examples, or merge these labels",
        )  # fmt: skip
    most, least = max(train, key=lambda n: train[n]), min(train, key=lambda n: train[n])
    if train[most] >= IMBALANCE * train[least]:
        yield Issue(
            "balance", f"train: the rarest label has {train[least]:,} examples ({least}), the most frequent "
            f"{train[most]:,} ({most})", "select the checkpoint by macro F1; accuracy hides rare labels",
        )  # fmt: skip


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
