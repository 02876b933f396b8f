"""A part of the data as it was measured: its examples, read again by the recipe, beside the stored predictions."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hf_tasks import data, evaluation
from hf_tasks.data import Part
from hf_tasks.errors import DataError
from hf_tasks.metrics import find, score
from hf_tasks.metrics.intervals import uncertainty_of
from hf_tasks.report.blocks import Interval
from hf_tasks.run import Run
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.types import Example, MetricInputs, Prediction
from hf_tasks.views import view_of

if TYPE_CHECKING:
    from datasets import Dataset

PartName = Literal["validation", "test"]
PARTS: tuple[PartName, ...] = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Measured:
    run: Run
    name: PartName
    part: Part
    predictions: list[Prediction]

    @property
    def task(self) -> Task:
        return self.run.recipe.task

    @property
    def examples(self) -> "Dataset":
        return self.part.examples

    def where(self, row: int) -> str:
        """`test.csv:17`: where an example stands, without the folder."""
        return self.part.where(row).rpartition("/")[2]

    @cached_property
    def rows(self) -> list[Example]:
        return list(self.part.rows())

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
    def split(self) -> EncodedSplit:
        """As the model read it."""
        return evaluation.encode(self.examples, self.task, self.run.tokenizer)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(E,) tokens of each example before anything was cut; of one in several windows, of all windows together."""
        features = self.split.features
        tokens = np.array(features["length"][:]) + np.array(features["tokens_cut"][:])
        return np.bincount(features["example"][:], tokens, minlength=len(self.examples))

    @cached_property
    def cut(self) -> np.ndarray:
        """(E,) tokens that the model did not read."""
        features = self.split.features
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
        return evaluation.asked(of.task, inputs, of.run.memory)


def load(run: Run, name: PartName) -> Measured:
    """The part that the run's predictions are of. Raises DataError where it cannot be had, or is another by now."""
    predictions = _predictions(run, name)
    part = _read(run, name)
    then = run.results.get("data", {}).get(name, {}).get("files", {})
    if set(then.values()) != set(part.files.values()) or len(part) != len(predictions):
        raise DataError(f"the data files of {name} have changed since the run was measured")
    return Measured(run, name, part, predictions)


def _predictions(run: Run, name: PartName) -> list[Prediction]:
    file = run.path / "predictions" / f"{name}.jsonl"
    if not file.is_file():
        raise DataError(f"{file}: the predictions are not in the run any more")
    try:
        with file.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except ValueError:
        raise DataError(f"{file}: the file is broken") from None


def _read(run: Run, name: PartName) -> Part:
    """The part as it was measured: its own, or held out from train by the same seed."""
    section, task, seed = run.recipe.data, run.recipe.task, run.recipe.data_seed
    held_out = name == "validation" and section.validation is None
    part = data.read_part(section, "train" if held_out else name, task, seed=seed, beside=run.recipe_folder)
    if part is None:
        raise DataError(f"the recipe names no {name} part any more")
    if held_out:
        part = data.hold_out(part, task, section.validation_size, seed)[1]
    return data.check(part, task, section.bad_rows)
