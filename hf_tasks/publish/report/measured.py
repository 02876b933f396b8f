"""An evaluated split: its examples, read again from the data files, beside the stored predictions.

`values_of` reads any column of the data files, also those that the task does not use.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hf_tasks import data
from hf_tasks.core.errors import DataError, RunError
from hf_tasks.core.section import did_you_mean
from hf_tasks.data import DataSplit
from hf_tasks.data.readers import arrow, reader_of
from hf_tasks.data.readers.compression import opened
from hf_tasks.metrics import find, score
from hf_tasks.metrics.intervals import uncertainty_of
from hf_tasks.publish.results_view import Interval
from hf_tasks.recipe.resolve import resolve
from hf_tasks.runs import evaluation, json_files
from hf_tasks.runs.run import Run
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.types import Example, MetricInputs, Prediction, RawRow

if TYPE_CHECKING:
    from datasets import Dataset

SplitName = Literal["validation", "test"]


@dataclass(frozen=True, eq=False)
class MeasuredSplit:
    """The examples and predictions of one split of a run."""

    run: Run
    name: str
    split: DataSplit
    predictions: list[Prediction]
    runs: Sequence[Run] = ()
    """(E,) the run that predicted each example; empty: `run`."""

    @property
    def task(self) -> Task:
        return self.run.recipe.task

    @property
    def examples(self) -> "Dataset":
        return self.split.examples

    def by_run(self, rows: Sequence[int]) -> Iterator[tuple[Run, list[int]]]:
        """Yield each run that predicted some of the rows, with these rows."""
        found: dict[Path, list[int]] = {}
        for row in rows:
            found.setdefault(self.runs[row].path if self.runs else self.run.path, []).append(row)
        recipes = {run.path: run.recipe for run in self.runs}
        yield from ((Run(path, recipes[path]) if recipes else self.run, own) for path, own in found.items())

    def where(self, row: int) -> str:
        """The file and line of an example, without the folder: `test.csv:17`."""
        return self.split.where(row).rpartition("/")[2]

    @cached_property
    def rows(self) -> list[Example]:
        return list(self.split.rows())

    @cached_property
    def answers(self) -> list[Any]:
        return self._inputs.predictions

    @cached_property
    def references(self) -> list[Any]:
        return self._inputs.references

    @cached_property
    def _inputs(self) -> MetricInputs:
        return self.task.metric_inputs(self.predictions, self.examples)

    @cached_property
    def scorer(self) -> "Scorer":
        return Scorer(self)

    @cached_property
    def encoded(self) -> EncodedSplit:
        """The features of the split."""
        return evaluation.encode(self.examples, self.task, self.run.tokenizer)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(E,) tokens of each example before truncation; the sum over its windows if it has several."""
        features = self.encoded.features
        tokens = np.array(features["length"][:]) + np.array(features["tokens_cut"][:])
        return np.bincount(features["example"][:], tokens, minlength=len(self.examples))

    @cached_property
    def cut(self) -> np.ndarray:
        """(E,) tokens of each example that were cut."""
        features = self.encoded.features
        return np.bincount(features["example"][:], features["tokens_cut"][:], minlength=len(self.examples))


class Scorer:
    """The metric of slices on any rows, with its interval where it has one.

    The metric is the first one of the task, or accuracy if every example has one class label: averages over classes
    are not comparable between slices that lack some of the classes.
    """

    def __init__(self, measured: MeasuredSplit) -> None:
        one_label = measured.task.traits.class_labels and all(isinstance(one, str) for one in measured.references)
        self.metric = "accuracy" if one_label else measured.task.metrics[0]
        self.measured = measured
        every = np.arange(len(measured.answers))
        self.name = next(iter(self._values(every)))
        form = find(self.metric).sums(measured.answers, measured.references, **self._asked(every))
        self.form = form if form and self.name in form.total() else None

    def value(self, rows: np.ndarray) -> float:
        return (self.form.take(rows).total() if self.form else self._values(rows))[self.name]

    def interval(self, rows: np.ndarray) -> Interval | None:
        if self.form is None or len(rows) < 2:
            return None
        found = uncertainty_of(find(self.metric), self.form.take(rows)).intervals.get(self.name)
        return Interval(*found) if found else None

    def _values(self, rows: np.ndarray) -> dict[str, float]:
        answers, references = ([of[row] for row in rows] for of in (self.measured.answers, self.measured.references))
        values = score((self.metric,), answers, references, self._asked(rows))
        return {name: value for name, value in values.items() if isinstance(value, float)}

    def _asked(self, rows: np.ndarray) -> dict[str, Any]:
        """The keyword arguments of the metric for these rows, as in an evaluation."""
        of = self.measured
        inputs = of.task.metric_inputs([of.predictions[row] for row in rows], of.examples.select(rows))
        return evaluation.metric_arguments(of.task, inputs, of.run.train_stats)


def load(run: Run, name: SplitName) -> MeasuredSplit:
    """The split with the run's predictions. Raises DataError if its data files are missing or have changed."""
    predictions = _predictions(run, name)
    split = _read(run, name)
    then = run.results.get("data", {}).get(name, {}).get("files", {})
    if set(then.values()) != set(split.files.values()) or len(split) != len(predictions):
        raise DataError(f"the data files of {name} have changed since the run was measured")
    return MeasuredSplit(run, name, split, predictions)


def _predictions(run: Run, name: SplitName) -> list[Prediction]:
    file = run.path / "predictions" / f"{name}.jsonl"
    if not file.is_file():
        raise DataError(f"{file}: the predictions are missing from the run")
    return json_files.read_rows(file)


def _read(run: Run, name: SplitName) -> DataSplit:
    """The split as it was evaluated: read from its own files, or held out from train with the same seed."""
    section, task, seed = run.recipe.data, run.recipe.task, run.recipe.data_seed
    if section.folds and (of_fold := resolve(run.recipe, run.recipe_folder)[1].named().get(name)):
        return of_fold
    held_out = name == "validation" and section.validation is None
    split = data.read_split(section, "train" if held_out else name, task, seed=seed, recipe_dir=run.recipe_folder)
    if split is None:
        raise DataError(f"the recipe has no {name} split any more")
    if held_out:
        split = data.hold_out(split, task, section.validation_size, seed)[1]
    return data.check(split, task, section.bad_rows)


def values_of(measured: MeasuredSplit, column: str) -> list[Any]:
    """The value of each example in a column of the data files, None if its row has none.

    Raises RunError if no row has the column.
    """
    split, known, found = measured.split, dict[str, None](), dict[tuple[int, int], Any]()
    for place, name in enumerate(split.places):
        for line, row in _raw(measured, name.removesuffix(":")):
            known |= dict.fromkeys(row)
            found[place, line] = row.get(column)
    if column not in known:
        names = ", ".join(known)
        raise RunError(
            f"--slice {column}: the data files have no such column{did_you_mean(column, known)} (columns: {names})"
        )
    return [found.get(key) for key in zip(split.place.tolist(), split.line.tolist(), strict=True)]


def _raw(measured: MeasuredSplit, place: str) -> Iterable[tuple[int, RawRow]]:
    """(line, row) of each readable row of a file or dataset."""
    section = measured.run.recipe.data
    if section.path:
        rows, _ = arrow.load(section, place.removeprefix(f"{section.path} "))
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
        return
    with opened(place) as file:
        rows = reader_of(place, section.format, section.column_names, section.delimiter, section.encoding)(file, place)
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
