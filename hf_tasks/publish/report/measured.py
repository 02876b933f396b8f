"""A part of the data as it was measured: its examples, read again by the recipe, beside the stored predictions.

Any column of the data files, for examples that have been read without it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
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
from hf_tasks.publish.report.blocks import Interval
from hf_tasks.publish.views import view_of
from hf_tasks.runs import evaluation
from hf_tasks.runs.run import Run
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.types import Example, MetricInputs, Prediction, RawRow

if TYPE_CHECKING:
    from datasets import Dataset

SplitName = Literal["validation", "test"]
SPLITS: tuple[SplitName, ...] = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Measured:
    run: Run
    name: SplitName
    split: DataSplit
    predictions: list[Prediction]

    @property
    def task(self) -> Task:
        return self.run.recipe.task

    @property
    def examples(self) -> "Dataset":
        return self.split.examples

    def where(self, row: int) -> str:
        """`test.csv:17`: where an example stands, without the folder."""
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
        """As the model read it."""
        return evaluation.encode(self.examples, self.task, self.run.tokenizer)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(E,) tokens of each example before anything was cut; of one in several windows, of all windows together."""
        features = self.encoded.features
        tokens = np.array(features["length"][:]) + np.array(features["tokens_cut"][:])
        return np.bincount(features["example"][:], tokens, minlength=len(self.examples))

    @cached_property
    def cut(self) -> np.ndarray:
        """(E,) tokens that the model did not read."""
        features = self.encoded.features
        return np.bincount(features["example"][:], features["tokens_cut"][:], minlength=len(self.examples))


class Scorer:
    """The metric of groups of examples on any rows, with its interval where it has one."""

    def __init__(self, measured: Measured) -> None:
        self.metric = view_of(measured.task).slice_metric(measured.task)
        self.measured = measured
        everything = np.arange(len(measured.answers))
        self.name = next(iter(self._values(everything)))
        form = find(self.metric).sums(measured.answers, measured.references, **self._asked(everything))
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
        """What the metric may ask for of these rows, as in an evaluation."""
        of = self.measured
        inputs = of.task.metric_inputs([of.predictions[row] for row in rows], of.examples.select(rows))
        return evaluation.metric_arguments(of.task, inputs, of.run.train_stats)


def load(run: Run, name: SplitName) -> Measured:
    """The part that the run's predictions are of. Raises DataError where it cannot be had, or is another by now."""
    predictions = _predictions(run, name)
    split = _read(run, name)
    then = run.results.get("data", {}).get(name, {}).get("files", {})
    if set(then.values()) != set(split.files.values()) or len(split) != len(predictions):
        raise DataError(f"the data files of {name} have changed since the run was measured")
    return Measured(run, name, split, predictions)


def _predictions(run: Run, name: SplitName) -> list[Prediction]:
    file = run.path / "predictions" / f"{name}.jsonl"
    if not file.is_file():
        raise DataError(f"{file}: the predictions are not in the run any more")
    try:
        with file.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except ValueError:
        raise DataError(f"{file}: the file is broken") from None


def _read(run: Run, name: SplitName) -> DataSplit:
    """The part as it was measured: its own, or held out from train by the same seed."""
    section, task, seed = run.recipe.data, run.recipe.task, run.recipe.data_seed
    held_out = name == "validation" and section.validation is None
    split = data.read_split(section, "train" if held_out else name, task, seed=seed, recipe_dir=run.recipe_folder)
    if split is None:
        raise DataError(f"the recipe names no {name} part any more")
    if held_out:
        split = data.hold_out(split, task, section.validation_size, seed)[1]
    return data.check(split, task, section.bad_rows)


def values_of(measured: Measured, column: str) -> list[Any]:
    """The value of each example in a column of the files, by the lines they stand on; None where its row lacks it.

    Raises RunError where no row has the column.
    """
    split, known, found = measured.split, dict[str, None](), dict[tuple[int, int], Any]()
    for place, name in enumerate(split.places):
        for line, row in _raw(measured, name.removesuffix(":")):
            known |= dict.fromkeys(row)
            found[place, line] = row.get(column)
    if column not in known:
        names = ", ".join(known)
        raise RunError(
            f"--slice {column}: the data have no such column{did_you_mean(column, known)} (they have {names})"
        )
    return [found.get(key) for key in zip(split.place.tolist(), split.line.tolist(), strict=True)]


def _raw(measured: Measured, place: str) -> Iterable[tuple[int, RawRow]]:
    """The rows of a place as they are, with their numbers; those that cannot be read are left out."""
    section = measured.run.recipe.data
    if section.path:
        rows, _ = arrow.load(section, place.removeprefix(f"{section.path} "))
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
        return
    with opened(place) as file:
        rows = reader_of(place, section.format, section.column_names)(file, place)
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
