"""`compare`: compare two runs on the same examples with paired tests, and list the predictions that differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tasks import data
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import writer
from hf_tasks.data import DataSplit
from hf_tasks.metrics import significance
from hf_tasks.metrics.significance import PairedTest
from hf_tasks.runs import evaluation, same_data
from hf_tasks.runs.run import Run
from hf_tasks.runs.stored_predictions import stored_predictions
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Prediction


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`."""

    tests: tuple[PairedTest, ...]
    changed: tuple[Prediction, ...]
    """The examples whose predictions differ: location `where`, the example, `reference`, `first`, `second`."""
    n: int


@dataclass(frozen=True)
class Answers:
    """A run's predictions of the same examples, with what metrics need."""

    predictions: list[Any]
    references: list[Any]
    context: dict[str, Any]
    """Keyword arguments of metrics."""


def compare(first: Run, second: Run, split: DataSplit, name: str = "") -> Comparison:
    """Compare two runs on a split. Raises RunError if their tasks differ.

    `name`: the split of the runs' recipes, whose stored predictions are used if it still has the same examples.
    """
    task = first.recipe.task
    for ours_is, theirs_is in ((task.name, second.recipe.task.name), (_kind(task), _kind(second.recipe.task))):
        if ours_is != theirs_is:
            raise RunError(f"{second.path}: its task is {theirs_is}, not {ours_is}; compare runs of one task")
    split = data.check(split, task, first.recipe.data.bad_rows)
    ours, theirs = (
        answers(run.recipe.task, _predictions(run, split, name), split, run.train_stats) for run in (first, second)
    )
    return compared(split, (task, second.recipe.task), (ours, theirs))


def compared(split: DataSplit, tasks: tuple[Task, Task], sides: tuple[Answers, Answers]) -> Comparison:
    """Compare the predictions of two runs on a split."""
    names = tuple(dict.fromkeys(name for task in tasks for name in task.metrics))
    (ours, theirs), references = (side.predictions for side in sides), sides[0].references
    tests = tuple(significance.compare(names, ours, theirs, references, (sides[0].context, sides[1].context)))
    return Comparison(tests, tuple(_changed(split, ours, theirs, references)), len(references))


def check_same_data(first: Run, second: Run, split: str) -> None:
    """Raise RunError if two runs were evaluated on different data of the same split."""
    try:
        same_data.check([(str(run.path), run.results.get("data", {})) for run in (first, second)], (split,))
    except RunError as e:
        raise RunError(*(f"{problem}; name the file to compare on with --data" for problem in e.problems)) from None


def lines(comparison: Comparison, first: Path, second: Path) -> Iterator[str]:
    """Yield the lines of the comparison for the terminal."""
    yield f"{comparison.n} examples; first: {first}, second: {second}"
    yield f"  {'metric':<22} {'first':>9} {'second':>9} {'difference':>11}  {'95 % interval':<20} {'p':>7}  test"
    for test in comparison.tests:
        interval = f"[{test.interval[0]:+.4f}, {test.interval[1]:+.4f}]" if test.interval else "-"
        p = "-" if test.p is None else f"{test.p:.4f}"
        yield (
            f"  {test.value:<22} {test.first:>9.4f} {test.second:>9.4f} {test.second - test.first:>+11.4f}  "
            f"{interval:<20} {p:>7}  {test.method}"
        )
    yield f"  {len(comparison.changed)} of {comparison.n} predictions differ"


def write(comparison: Comparison, path: Path) -> None:
    """Write the predictions that differ as .jsonl or .csv."""
    with writer(path) as put:
        put(list(comparison.changed))


def _kind(task: Task) -> str:
    """Return the task and its kind, which must be equal for runs to be compared."""
    return f"{task.name} ({task.traits.kind})" if task.traits.kind else task.name


def _predictions(run: Run, split: DataSplit, name: str) -> list[Prediction]:
    """Return the predictions that the run stored of these examples, or compute them."""
    found = stored_predictions(run, name, split) if name else None
    return run.predict_split(split, f"Predicting with {run.path.name}").predictions if found is None else found


def answers(task: Task, predictions: list[Prediction], split: DataSplit, train_stats: Mapping[str, Any]) -> Answers:
    """Return predictions as metrics read them."""
    inputs = task.metric_inputs(predictions, split.examples)
    context = evaluation.metric_arguments(task, inputs, dict(train_stats))
    return Answers(inputs.predictions, inputs.references, context)


def _changed(split: DataSplit, first: list[Any], second: list[Any], references: list[Any]) -> Iterator[Prediction]:
    for i, (row, *answers, reference) in enumerate(zip(split.rows(), first, second, references, strict=True)):
        a, b = (answer["answer"] if isinstance(answer, dict) else answer for answer in answers)
        if a != b:
            yield {"where": split.where(i), **row, "reference": reference, "first": a, "second": b}
