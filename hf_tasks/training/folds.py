"""`data.folds`: k-fold cross-validation, one training for each fold of the training examples, tested on that fold.

runs/NAME/fold-1, fold-2, ...   complete runs
runs/NAME/folds.json            the spread of the metrics over the folds, and the metrics of all predictions together
runs/NAME/predictions.jsonl     for every training example the prediction of the run that did not train on it

The checkpoint of each run is chosen on a validation split of the other folds, so that the scores of the folds are not
too high. There is no interval of the mean over folds: their training examples overlap, and no unbiased estimate of the
variance exists (Bengio and Grandvalet 2004, https://www.jmlr.org/papers/v5/grandvalet04a.html).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import write_errors, writer
from hf_tasks.core.terminal import table
from hf_tasks.data import DataSplit
from hf_tasks.metrics import find
from hf_tasks.recipe import Recipe
from hf_tasks.recipe.resolve import resolve
from hf_tasks.runs import compare as comparisons
from hf_tasks.runs import evaluation, json_files, same_data
from hf_tasks.runs.compare import Comparison
from hf_tasks.runs.predictions import Predictions
from hf_tasks.runs.run import Run
from hf_tasks.runs.stored_predictions import stored_predictions
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Prediction
from hf_tasks.training.run_group import RunGroup, summarize_split

PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True)
class OutOfFold:
    """All examples in the order of the data, each with the prediction of the run that did not train on it."""

    split: DataSplit
    fold: np.ndarray
    """(E,) from 1."""
    predictions: list[Prediction]
    task: Task
    """With the metrics that need no statistics of the training examples, which differ between the folds."""
    train_stats: Mapping[str, Any]


class FoldRuns(RunGroup):
    """The runs of one recipe, one for each fold of its training examples."""

    kind: ClassVar[str] = "fold"
    own_data: ClassVar[bool] = True

    def recipe_of(self, recipe: Recipe, number: int) -> Recipe:
        """Return the recipe of one fold."""
        values = json.loads(recipe.model_dump_json(exclude_unset=True))
        values["data"] = {key: value for key, value in values["data"].items() if key != "test"} | {"fold": number}
        values["training"] = values.get("training", {}) | {"output_dir": str(self.folder(number))}
        return recipes.from_dict(values)

    def summarize(
        self, numbers: Sequence[int], measured: Sequence[dict[str, Any]], recipe_dir: Path | None = None
    ) -> dict[str, Any]:
        """Return the content of folds.json, and write the predictions of all folds."""
        found = out_of_fold([Run.load(self.folder(number)) for number in numbers], recipe_dir)
        predicted = evaluation.Predicted(found.predictions, None)
        examples, train_stats = found.split.examples, dict(found.train_stats)
        pooled = evaluation.scores(found.task, predicted, examples, train_stats, intervals=True)
        with write_errors(self.path), writer(self.path / PREDICTIONS) as write:
            write(list(_rows(found)))
        rows = hashlib.sha256("".join(one["data"]["test"]["rows_sha256"] for one in measured).encode()).hexdigest()
        return {
            "folds": list(numbers),
            "test": summarize_split([one["test"] for one in measured], interval=False),
            "pooled": pooled,
            "data": {"test": {"files": found.split.files, "rows_sha256": rows}},
        }

    def lines(self) -> Iterator[str]:
        """Yield the table over the folds, and the metrics of all predictions together."""
        yield from super().lines()
        pooled = self.results["pooled"]
        yield f"all folds together: {pooled['n']:,} examples, each predicted by the run that did not train on it"
        yield table(pooled)

    @cached_property
    def predictions(self) -> Predictions:
        """The predictions of all folds in the order of the data, with `where` and `fold`; `.to_frame()` is a table."""
        return Predictions(json_files.read_rows(self.path / PREDICTIONS))

    def out_of_fold(self) -> OutOfFold:
        """Read the examples and the stored predictions of all folds. Raises RunError if the data have changed."""
        runs = list(self.runs.values())
        return out_of_fold(runs, runs[0].recipe_folder)


def train(recipe: Recipe, *, recipe_dir: Path | None = None, overwrite: bool = False) -> FoldRuns:
    """Train a recipe once for each fold, see `RunGroup.train`."""
    assert recipe.data.folds
    group = FoldRuns(recipe.output_dir)
    group.train(recipe, range(1, recipe.data.folds + 1), recipe_dir, overwrite)
    return group


def out_of_fold(runs: Sequence[Run], recipe_dir: Path | None) -> OutOfFold:
    """Read the test examples and the stored predictions of the runs of all folds, in the order of the data."""
    from datasets import concatenate_datasets

    splits, predictions = list[DataSplit](), list[Prediction]()
    for run in runs:
        split = resolve(run.recipe, recipe_dir)[1].test
        found = stored_predictions(run, "test", split) if split else None
        if split is None or found is None:
            raise RunError(
                f"{run.path}: its data or predictions have changed since the training; restore them, or train all "
                "folds again with --overwrite"
            )
        splits.append(split)
        predictions += found
    place, line = (np.concatenate([getattr(split, name) for split in splits]) for name in ("place", "line"))
    order = np.lexsort((line, place))
    examples = concatenate_datasets([split.examples for split in splits]).select(order)
    whole = replace(splits[0], examples=examples, place=place[order], line=line[order])
    fold = np.repeat(np.arange(1, len(splits) + 1), [len(split) for split in splits])[order]
    stats = [run.train_stats for run in runs]
    differing = {name for name in stats[0] if any(one.get(name) != stats[0][name] for one in stats)}
    task = runs[0].recipe.task
    task = task.model_copy(update={"metrics": tuple(m for m in task.metrics if not find(m).asks & differing)})
    return OutOfFold(whole, fold, [predictions[i] for i in order], task, stats[0])


def compare(first: FoldRuns, second: FoldRuns) -> Comparison:
    """Compare two groups on the predictions of all folds. Raises RunError if their folds are not the same examples."""
    same_data.check([(str(group.path), group.results.get("data", {})) for group in (first, second)], ("test",))
    ours, theirs = first.out_of_fold(), second.out_of_fold()
    sides = [comparisons.answers(one.task, one.predictions, one.split, one.train_stats) for one in (ours, theirs)]
    return comparisons.compared(ours.split, (ours.task, theirs.task), (sides[0], sides[1]))


def _rows(found: OutOfFold) -> Iterator[Prediction]:
    for row, (fold, prediction) in enumerate(zip(found.fold.tolist(), found.predictions, strict=True)):
        yield {"where": found.split.where(row), "fold": fold, **prediction}
