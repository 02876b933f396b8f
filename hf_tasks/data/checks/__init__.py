"""Checks of the data before training: what is allowed and seldom meant. Nothing here stops a training."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hf_tasks.data import DataSplit
from hf_tasks.data.checks import duplicates, labels, lengths, near_duplicates
from hf_tasks.data.checks.issue import SEVERITY, Seen, found, places
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.types import Issue

BRIEF = 5
"""Findings that `train` shows."""


@dataclass(frozen=True)
class Checked:
    facts: list[str]
    """What is always worth knowing: lengths, labels."""
    findings: list[Issue]
    """The gravest first."""
    seconds: dict[str, float]
    """How long the checks took: `all`, and of these `near`, the search for near-duplicates."""

    def lines(self) -> Iterator[str]:
        """The whole report."""
        yield from self.facts
        yield from (f"  warning    {finding}" for finding in self.findings)
        took = f"{self.seconds['all']:.1f} s, {self.seconds['near']:.1f} s of them for near-duplicates"
        nothing = "" if self.findings else "; no repeats, contradictions, leaks, odd labels, cut texts"
        yield f"  checked    in {took}{nothing}"

    def brief(self) -> Iterator[str]:
        """The gravest findings."""
        yield from (f"  warning    {finding}" for finding in self.findings[:BRIEF])
        if (more := len(self.findings) - BRIEF) > 0:
            yield f"  warning    {more} more of lesser weight; hf-tasks check shows all"


def run_checks(
    task: Task, splits: dict[str, DataSplit], encoded_splits: dict[str, EncodedSplit], *, readable: int, seed: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Checked:  # fmt: skip
    """All checks. `readable`: the tokens that the model can read; `seed` draws samples of what is too large."""
    began = clock()
    hashes = {name: duplicates.Hashes.of(split, task) for name, split in splits.items()}
    facts, odd = list[str](), [*duplicates.findings(splits, hashes, task), *_odd(task, splits)]
    if column := task.traits.label_column:
        counts = {name: labels.counts(split.examples, column) for name, split in splits.items()}
        odd += [*labels.spellings(counts["train"]), *labels.no_labels(counts["train"], column)]
        if task.traits.class_labels:
            odd += labels.notations(counts["train"])
            facts.append(f"  labels     {labels.fact(counts['train'])}")
            odd += labels.balance(task.traits.class_labels, counts)
    if task.traits.score_column:
        facts.append(
            f"  scores     {labels.score_fact(np.asarray(splits['train'].examples[task.traits.score_column][:]))}"
        )
        odd += labels.far_scores(splits)
    if "max_length" in task.model_fields_set and task.max_length > readable:
        text = f"task.max_length is {task.max_length:,}, the model reads {readable:,} tokens"
        odd.append(Issue("cut", text, f"it counts as {readable:,}; write that, or choose a model that reads more"))
    of_splits = {
        name: [replace(one, limit=min(one.limit, readable)) for one in lengths.lengths(task, encoded)]
        for name, encoded in encoded_splits.items()
    }
    for number, of_train in enumerate(of_splits["train"]):
        facts.append(f"  {'lengths' if not number else '':<10} {lengths.fact(of_train)}")
        odd += lengths.cuts({name: several[number] for name, several in of_splits.items()}, readable)
    before_near = clock()
    exact = {name: np.isin(one.input, hashes["train"].input) for name, one in hashes.items() if name != "train"}
    odd += near_duplicates.near(splits, exact, task, seed)
    ended = clock()
    ranked = sorted(odd, key=lambda finding: SEVERITY.index(finding.kind))
    return Checked(facts, ranked, {"all": ended - began, "near": ended - before_near})


def _odd(task: Task, splits: dict[str, DataSplit]) -> Iterator[Issue]:
    seen: dict[tuple[str, str], list[Seen]] = {}
    for name, split in splits.items():
        for oddity in task.issues(split.examples).warnings:
            count = f"{oddity.count:,}" if oddity.count else f"{len(oddity.rows):,} of {len(split):,}"
            here = Seen(f"{count} in {name}", places(split, oddity.rows))
            seen.setdefault((oddity.text, oddity.remedy), []).append(here)
    for (text, remedy), several in seen.items():
        yield from found("oddity", text, remedy, several)
