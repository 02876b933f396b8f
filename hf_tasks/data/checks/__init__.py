"""Data checks before training: valid but suspicious patterns, which only give warnings."""

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
"""Number of issues that `train` shows."""


@dataclass(frozen=True)
class CheckReport:
    """The result of all data checks."""

    facts: list[str]
    """Lines about lengths, labels and scores."""
    issues: list[Issue]
    """The most severe first."""
    seconds: dict[str, float]
    """Duration of the checks: `all`, and `near` for the search for near-duplicates."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the complete report."""
        yield from self.facts
        yield from (f"  warning    {issue}" for issue in self.issues)
        took = f"{self.seconds['all']:.1f} s, {self.seconds['near']:.1f} s of them for near-duplicates"
        nothing = "" if self.issues else "; no duplicates, contradictions, leaks, label problems, truncated texts"
        yield f"  checked    in {took}{nothing}"

    def brief(self) -> Iterator[str]:
        """Yield the lines of the most severe issues."""
        yield from (f"  warning    {issue}" for issue in self.issues[:BRIEF])
        if (more := len(self.issues) - BRIEF) > 0:
            yield f"  warning    {more} more, less severe; hf-tasks check shows all"


def run_checks(
    task: Task, splits: dict[str, DataSplit], encoded_splits: dict[str, EncodedSplit], *, readable: int, seed: int,
    clock: Callable[[], float] = time.perf_counter,
) -> CheckReport:  # fmt: skip
    """Run all data checks. `encoded_splits`: the features of all examples or of a sample; `readable`: tokens that the
    model can read; `seed` draws samples of very large splits."""
    started = clock()
    hashes = {name: duplicates.Hashes.of(split, task) for name, split in splits.items()}
    facts, issues = list[str](), [*duplicates.issues(splits, hashes, task), *_task_warnings(task, splits)]
    if column := task.traits.label_column:
        counts = {name: labels.counts(split.examples, column) for name, split in splits.items()}
        issues += [*labels.spellings(counts["train"]), *labels.no_labels(counts["train"], column)]
        if task.traits.class_labels:
            issues += labels.notations(counts["train"])
            facts.append(f"  labels     {labels.fact(counts['train'])}")
            issues += labels.balance(task.traits.class_labels, counts)
    if task.traits.score_column:
        facts.append(
            f"  scores     {labels.score_fact(np.asarray(splits['train'].examples[task.traits.score_column][:]))}"
        )
        issues += labels.far_scores(splits)
    if "max_length" in task.model_fields_set and task.max_length > readable:
        text = f"task.max_length is {task.max_length:,}, the model reads {readable:,} tokens"
        issues.append(Issue("cut", text, f"{readable:,} is used; write that, or choose a model that reads more"))
    of_splits = {
        name: [
            replace(one, limit=min(one.limit, readable)) for one in lengths.lengths(task, encoded, len(splits[name]))
        ]
        for name, encoded in encoded_splits.items()
    }
    for number, of_train in enumerate(of_splits["train"]):
        facts.append(f"  {'lengths' if not number else '':<10} {lengths.fact(of_train)}")
        issues += lengths.cuts({name: one[number] for name, one in of_splits.items() if one}, readable)
    before_near = clock()
    exact = {name: np.isin(one.input, hashes["train"].input) for name, one in hashes.items() if name != "train"}
    issues += near_duplicates.near(splits, exact, task, seed)
    ended = clock()
    ranked = sorted(issues, key=lambda issue: SEVERITY.index(issue.kind))
    return CheckReport(facts, ranked, {"all": ended - started, "near": ended - before_near})


def _task_warnings(task: Task, splits: dict[str, DataSplit]) -> Iterator[Issue]:
    seen: dict[tuple[str, str], list[Seen]] = {}
    for name, split in splits.items():
        for warning in task.issues(split.examples).warnings:
            count = f"{warning.count:,}" if warning.count else f"{len(warning.rows):,} of {len(split):,}"
            here = Seen(f"{count} in {name}", places(split, warning.rows))
            seen.setdefault((warning.text, warning.remedy), []).append(here)
    for (text, remedy), several in seen.items():
        yield from found("oddity", text, remedy, several)
