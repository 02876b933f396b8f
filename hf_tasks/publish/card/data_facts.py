"""Facts about the data on a card: label counts, sample examples, and the scores of a trivial baseline."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks import metrics
from hf_tasks.data import DataSplit
from hf_tasks.data.checks import labels
from hf_tasks.publish.redact import redacted
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Traits, rows

if TYPE_CHECKING:
    from datasets import Dataset

SHORT = 200
"""Characters of a sample's value that are shown."""
MOST_LABELS = 200
"""With more labels, their counts are left out."""
CANDIDATES = 200
"""Number of training examples from which the samples are chosen."""


def of_data(recipe: Recipe, splits: Mapping[str, DataSplit], memory: Mapping[str, Any]) -> dict[str, Any]:
    """`labels`: counts by split; `samples`: training examples; `baseline`: scores by split; each if the task has it."""
    task, found = recipe.task, dict[str, Any]()
    if column := task.traits.label_column:
        counts = {name: labels.counts(split.examples, column) for name, split in splits.items()}
        found |= {"labels": counts} if len(counts["train"]) <= MOST_LABELS else {}
    found["samples"] = samples(task, splits["train"].examples, recipe.card.samples)
    scores = baseline(task, {name: split.examples for name, split in splits.items()}, dict(memory))
    return found | ({"baseline": scores} if scores else {})


def samples(task: Task, train: "Dataset", size: int) -> list[dict[str, str]]:
    """Inputs and target of the shortest among the first training examples, different targets first."""
    target = task.columns.target(train.column_names)
    names = [*dict.fromkeys((*task.traits.inputs, *([] if target in task.columns.implied else [target])))]
    few = train.select(range(min(CANDIDATES, len(train)))).select_columns([n for n in names if n in train.column_names])
    rows = [{name: _shown(value) for name, value in row.items()} for row in few]
    rows.sort(key=lambda row: sum(map(len, row.values())))
    seen: Counter[str] = Counter()
    ranked = list[tuple[int, int, dict[str, str]]]()
    for row in rows:
        target = row[names[-1]]
        ranked.append((seen[target], len(ranked), row))
        seen[target] += 1
    return [row for *_, row in sorted(ranked, key=lambda one: one[:2])[:size]]


def baseline(task: Task, splits: Mapping[str, "Dataset"], memory: dict[str, Any]) -> dict[str, Any] | None:
    """A prediction without a model, in words, and its scores by split; None for tasks without one.

    Of the task's own baselines the best on the last split comes first and has the `others`; else it is constant.
    """
    ours = {name: metrics.METRICS[name] for name in task.metrics if name in metrics.METRICS}
    known = [name for name, metric in ours.items() if not metric.asks & {"decisions", "probabilities"}]
    scored = {name: examples for name, examples in splits.items() if name != "train"}
    if task.traits.baselines:
        return _best_of(task, scored, memory, known)
    references = {name: task.metric_inputs([], examples).references for name, examples in splits.items()}
    answers: dict[str, list[Any]]
    match task.traits:
        case Traits(score_column=column) if column:
            what, mean = "the mean of train for every example", float(np.mean(references["train"]))
            answers = {name: [mean] * len(examples) for name, examples in scored.items()}
        case Traits(label_column=column, class_labels=classes) if column and classes:
            what, answer = "the most frequent label of train for every example", _most_frequent(references["train"])
            answers = {name: [answer] * len(examples) for name, examples in scored.items()}
        case Traits(label_column=column) if column:
            what, tag = "the most frequent tag of train for every word", _most_frequent([*chain(*references["train"])])
            answers = {name: [[tag] * len(tags) for tags in references[name]] for name in scored}
        case _:
            return None
    values = {name: _scores(known, answers[name], references[name], memory) for name in scored}
    return {"what": what, "parts": values} if any(values.values()) else None


def _best_of(
    task: Task, scored: Mapping[str, "Dataset"], memory: dict[str, Any], known: Sequence[str]
) -> dict[str, Any] | None:
    if not known or not scored:
        return None
    found: list[dict[str, Any]] = []
    for what, rule in task.traits.baselines.items():
        parts: dict[str, dict[str, Any]] = {}
        for name, examples in scored.items():
            inputs = task.metric_inputs([], examples)
            answers = [rule(example) for example in rows(examples)]
            parts[name] = _scores(known, answers, inputs.references, memory | inputs.context)
        found.append({"what": what, "parts": parts})
    found.sort(key=lambda one: -next(iter([*one["parts"].values()][-1].values()), 0.0))
    return found[0] | ({"others": found[1:]} if found[1:] else {})


def _scores(names: Sequence[str], answers: list[Any], references: list[Any], memory: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # correlations with a constant
        found = evaluation.numbers(metrics.score(tuple(names), answers, references, memory))
    return {name: value for name, value in found.items() if name != "n" and np.isfinite(value)}


def _most_frequent(values: Sequence[Any]) -> Any:
    counted = Counter(json.dumps(value, ensure_ascii=False) for value in values)
    return json.loads(min(counted, key=lambda value: (-counted[value], value)))


def _shown(value: Any) -> str:
    text = redacted(value if isinstance(value, str) else " ".join(map(str, value)) if _texts(value) else str(value))
    return text if len(text) <= SHORT else f"{text[:SHORT]} ..."


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
