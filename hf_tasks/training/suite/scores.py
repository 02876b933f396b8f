"""The scores of a suite, by row, metric and column: which is the best, and which differ from it by chance alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.metrics import METRICS, significance
from hf_tasks.runs import counts, same_data
from hf_tasks.runs.evaluation import numbers
from hf_tasks.runs.run import Run
from hf_tasks.training.run_group import summary
from hf_tasks.training.seeds import SeedRuns, welch
from hf_tasks.training.suite.section import Cell, Suite

ALPHA = 0.05
"""Differences with a larger p value are within chance."""


@dataclass(frozen=True)
class Score:
    """The value of a metric in one cell; of several seeds their mean."""

    value: float
    interval: tuple[float, float] | None
    std: float | None
    values: tuple[float, ...]
    """Of each seed."""
    is_best: bool = False
    is_near: bool = False
    """Whether its difference from the best is within chance."""


@dataclass(frozen=True)
class ScoreLine:
    """A line of the table: a metric of a row. `scores`: by column; None where the training is missing."""

    row: str
    metric: str
    split: str
    scores: Mapping[str, Score | None]


@dataclass(frozen=True)
class Trained:
    """A finished cell."""

    runs: tuple[Run, ...]
    """The run, or those of several seeds."""

    @classmethod
    def of(cls, cell: Cell) -> "Trained | None":
        """The result of a cell; None if it has not been trained."""
        path = cell.recipe.output_dir
        if SeedRuns.is_here(path):
            return cls(tuple(SeedRuns.load(path).runs.values()))
        return cls((Run.load(path),)) if Run.is_finished(path) else None

    @property
    def results(self) -> Mapping[str, Any]:
        """The results of the first run."""
        return self.runs[0].results

    def split(self, wanted: str | None) -> str:
        return wanted or ("test" if "test" in self.results else "validation")

    def metrics(self, split: str) -> list[str]:
        """The names of the values of a split, the first metric's first."""
        return [name for name in numbers(dict(self.results.get(split, {}))) if name not in ("n", "loss")]

    def score(self, split: str, metric: str) -> Score:
        """`metric`: the name of a value, or its path in a table: per_class.paraphrase.f1. Raises RunError."""
        values = tuple(self._value(run, split, metric) for run in self.runs)
        if len(values) > 1:
            found = summary(values)
            return Score(found["mean"], tuple(found["interval"]), found["std"], values)
        interval = self.results[split].get("intervals", {}).get(metric)
        return Score(values[0], tuple(interval) if interval else None, None, values)

    def _value(self, run: Run, split: str, metric: str) -> float:
        value: Any = run.results.get(split, {})
        for name in metric.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if not isinstance(value, int | float):
            known = ", ".join(self.metrics(split)) or "none"
            raise RunError(f"{run.path}: no {metric} on {split} (its values: {known}); correct the suite")
        return float(value)


def lines(suite: Suite, cells: Sequence[Cell]) -> list[ScoreLine]:
    """The lines of the table. Raises RunError if results lack a metric, or cells of a row have other data."""
    found = list[ScoreLine]()
    trained = {(cell.row, cell.column): Trained.of(cell) for cell in cells}
    for name, row in suite.rows.items():
        of_row = {column: trained.get((name, column)) for column in suite.columns}
        finished = {column: one for column, one in of_row.items() if one is not None}
        split = next((one.split(suite.split) for one in finished.values()), suite.split or "-")
        same = [(f"{name}, {column}", one.results.get("data", {})) for column, one in finished.items()]
        if same:
            same_data.check(same, (split,))
        first = next(iter(finished.values()), None)
        for metric in row.metrics or (first.metrics(split)[:1] if first else ("-",)):
            found.append(ScoreLine(name, metric, split, _compared(of_row, split, metric)))
    return found


def average(suite: Suite, found: Sequence[ScoreLine], column: str) -> float | None:
    """The mean of a column by the definition of GLUE's leaderboard (Wang et al. 2018, https://aclanthology.org/W18-5446).

    The metrics of a row are averaged first, then the rows of a group. None if a score is missing.
    """
    groups: dict[str, list[list[float]]] = {}
    for name, row in suite.rows.items():
        of_row = [score.value for line in found if line.row == name and (score := line.scores[column]) is not None]
        if len(of_row) < max(1, len(row.metrics)):
            return None
        groups.setdefault(row.group or f"row {name}", []).append(of_row)
    return mean(mean(map(mean, rows)) for rows in groups.values())


def _compared(of_row: Mapping[str, Trained | None], split: str, metric: str) -> dict[str, Score | None]:
    """The scores of a line; with several columns, the best and those near it are marked."""
    scores = {column: one.score(split, metric) if one else None for column, one in of_row.items()}
    present = {column: score for column, score in scores.items() if score is not None}
    if len(present) < 2:
        return scores
    sign = -1 if _lower_is_better(metric) else 1
    best = max(present, key=lambda column: sign * present[column].value)
    for column, score in present.items():
        here, there = of_row[best], of_row[column]
        assert here is not None and there is not None
        p = None if column == best else _p(here, there, split, metric)
        scores[column] = replace(score, is_best=column == best, is_near=p is not None and p >= ALPHA)
    return scores


def _metric_of(value: str) -> str | None:
    return next((name for name, metric in METRICS.items() if value in metric.described), None)


def _lower_is_better(value: str) -> bool:
    name = _metric_of(value)
    return name is not None and not METRICS[name].higher_is_better


def _p(first: Trained, second: Trained, split: str, value: str) -> float | None:
    """The p value of a difference: Welch's test of the means of seeds, for single runs the paired test of `compare`,
    from the counts of each example; None where there is no test."""
    if len(first.runs) > 1 and len(second.runs) > 1:
        return welch(first.score(split, value).values, second.score(split, value).values)[1]
    name = _metric_of(value)
    paths = [one.runs[0].path / counts.FOLDER / f"{split}.npz" for one in (first, second)]
    if name is None or not all(map(Path.is_file, paths)):
        return None
    tables = [counts.read(path).get(name) for path in paths]
    if any(table is None for table in tables) or len({table.shape for table in tables if table is not None}) > 1:
        return None
    here, there = (METRICS[name].restored(table) for table in tables if table is not None)
    return next((test.p for test in significance.tests(name, here, there) if test.value == value), None)
