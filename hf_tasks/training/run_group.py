"""RunGroup: several runs of one recipe in the folders below a directory, one for each seed or fold.

runs/NAME/seed-13, seed-42, ...   complete runs
runs/NAME/seeds.json              for every split and metric: mean, std, min, max, interval, the values of the runs
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import write_errors, write_json
from hf_tasks.core.terminal import say
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation, json_files
from hf_tasks.runs.run import Run
from hf_tasks.runs.status import read_origin

if TYPE_CHECKING:
    from pandas import DataFrame

SPLITS = ("validation", "test")
LEVEL = 0.95


@dataclass(frozen=True, repr=False)
class RunGroup(ABC):
    """The runs of one recipe in the folders below `path`."""

    path: Path
    kind: ClassVar[str]
    """What the runs differ in: seed or fold."""
    own_data: ClassVar[bool] = False
    """Whether every run has training and test examples of its own."""
    few: ClassVar[int] = 0
    """With fewer runs, a line says that the interval of the mean depends on the assumption of normality."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load the runs in a directory. Raises RunError if not all of them are trained."""
        if not cls.is_here(path):
            raise RunError(
                f"{path}: there are no runs of several {cls.kind}s (no {cls.file()}); train a recipe with {cls.kind}s"
            )
        return cls(Path(path))

    @classmethod
    def is_here(cls, path: str | Path) -> bool:
        """Whether a directory contains the trained runs of all seeds or folds of a recipe."""
        return (Path(path) / cls.file()).is_file()

    @classmethod
    def file(cls) -> str:
        """The name of the file with the results: seeds.json or folds.json."""
        return f"{cls.kind}s.json"

    @cached_property
    def results(self) -> dict[str, Any]:
        """The content of the results file: the numbers, and for each split {metric: summary}."""
        return json_files.read(self.path / self.file())

    @property
    def numbers(self) -> list[int]:
        """The seeds, or the numbers of the folds."""
        return list(self.results[f"{self.kind}s"])

    @cached_property
    def runs(self) -> dict[int, Run]:
        """The run of each seed or fold."""
        return {number: Run.load(self.folder(number)) for number in self.numbers}

    def folder(self, number: int) -> Path:
        """Return the folder of the run of a seed or fold."""
        return self.path / f"{self.kind}-{number}"

    def lines(self) -> Iterator[str]:
        """Yield a table of the results for each split."""
        for split in (name for name in SPLITS if name in self.results):
            yield from self.table(split, self.results[split])

    def table(self, title: str, measured: Mapping[str, Any]) -> Iterator[str]:
        """Yield the lines of the table of a split; `measured` is what `summarize_split` returns."""
        numbers, with_interval = self.numbers, any(row["interval"] for row in measured.values())
        yield f"{title}, {self.kind}s {', '.join(map(str, numbers))}"
        if with_interval and len(numbers) < self.few:
            yield f"  Student's t over {len(numbers)} {self.kind}s: the intervals assume a normal distribution"
        ends = [f"{LEVEL:.0%} interval"] if with_interval else []
        header = ("mean", "std", "min", "max", *ends, *(f"{self.kind} {number}" for number in numbers))
        yield f"  {'metric':<22} " + " ".join(f"{name:>{_width(name)}}" for name in header)
        for name, row in measured.items():
            low, high = row["interval"] or (None, None)
            interval = [f"[{low:.4f}, {high:.4f}]" if row["interval"] else "-"] if with_interval else []
            cells = [row["mean"], row["std"], row["min"], row["max"], *interval, *row["values"]]
            shown = [f"{_shown(cell):>{_width(title)}}" for title, cell in zip(header, cells, strict=True)]
            yield f"  {name:<22} {' '.join(shown)}"

    def to_frame(self) -> "DataFrame":
        """Return the metrics as a pandas DataFrame: split, metric, mean, std, min, max, and a column for each run."""
        import pandas

        rows = [
            {"split": split, "metric": name, **{key: row[key] for key in ("mean", "std", "min", "max")}}
            | {f"{self.kind} {number}": value for number, value in zip(self.numbers, row["values"], strict=True)}
            for split in (name for name in SPLITS if name in self.results)
            for name, row in self.results[split].items()
        ]
        return pandas.DataFrame(rows)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}: {len(self.numbers)} {self.kind}s>"

    def _repr_html_(self) -> str:
        frame = self.to_frame().to_html(index=False, na_rep="", notebook=True, float_format="{:.4f}".format)
        return f"<p><b>{escape(repr(self)[1:-1])}</b></p>{frame}"

    # -- training

    @abstractmethod
    def recipe_of(self, recipe: Recipe, number: int) -> Recipe:
        """Return the recipe of the run of one seed or fold."""

    @abstractmethod
    def summarize(
        self, numbers: Sequence[int], measured: Sequence[dict[str, Any]], recipe_dir: Path | None = None
    ) -> dict[str, Any]:
        """Return the content of the results file from the results of the runs."""

    def train(self, recipe: Recipe, numbers: Sequence[int], recipe_dir: Path | None, overwrite: bool) -> None:
        """Train the runs; the same call resumes an interrupted one, finished runs are kept.

        Raises RecipeError, DataError or RunError.
        """
        from hf_tasks.training import train as train_one

        self.check_free()
        if overwrite and distributed.is_main():
            (self.path / self.file()).unlink(missing_ok=True)
        measured = list[dict[str, Any]]()
        for i, number in enumerate(numbers, 1):
            say(f"{self.kind} {number}, {i} of {len(numbers)}")
            one = self.recipe_of(recipe, number)
            measured.append(train_one(one, recipe_dir=recipe_dir, overwrite=overwrite).results)
            self.check_alike(numbers[0], number)
        distributed.broadcast_from_main(lambda: self._write(self.summarize(numbers, measured, recipe_dir)))

    def check_alike(self, first: int, number: int) -> None:
        """Raise RunError if a run was trained on other data or from another checkpoint than the first one."""
        before, now = (read_origin(self.folder(one)) for one in (first, number))
        if before and now and (changes := list(before.input_changes(now))):
            remedy = f"their mean would mix both; undo that, or train all {self.kind}s again with --overwrite"
            raise RunError(
                *(f"{self.folder(number)}: after {self.kind} {first}, {change}; {remedy}" for change in changes)
            )

    def check_free(self) -> None:
        """Raise RunError if the directory contains anything except these runs; it is never changed."""
        path = self.path
        if path.exists() and not path.is_dir():
            raise RunError(f"{path}: exists and is not a folder; choose another --output-dir")
        entries = [entry.name for entry in path.iterdir()] if path.exists() else []
        ours = re.compile(rf"{self.kind}-\d+|\..*|{re.escape(self.file())}|report\.html|README\.md|predictions\.jsonl")
        if strange := sorted(name for name in entries if not ours.fullmatch(name)):
            other = f"contains {strange[0]}, which is not a run of a {self.kind}"
            what = f"contains a run without {self.kind}s" if Run.is_ours(path) else other
            raise RunError(f"{path}: {what}; choose another --output-dir")

    def _write(self, results: dict[str, Any]) -> None:
        with write_errors(self.path):
            write_json(self.path / self.file(), results)


def summarize_split(measured: Sequence[Mapping[str, Any]], *, interval: bool = True) -> dict[str, Any]:
    """Summarize every number that all runs have of a split."""
    rows = [evaluation.numbers(dict(results)) for results in measured]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: summary([float(row[name]) for row in rows], interval=interval) for name in names if name != "n"}


def summary(values: Sequence[float], *, interval: bool = True) -> dict[str, Any]:
    """Return mean, sample standard deviation (n - 1), min, max, and the 95 % interval of the mean by Student's t.

    Deviation and interval are None for a single value. `interval`: whether the values are independent of each other, so
    that there is an interval.
    """
    from scipy.stats import t

    n, mean = len(values), float(np.mean(values))
    std = float(np.std(values, ddof=1)) if n > 1 else None
    half = None if std is None or not interval else float(t.ppf((1 + LEVEL) / 2, n - 1)) * std / n**0.5
    ends = None if half is None else [mean - half, mean + half]
    return {"mean": mean, "std": std, "min": min(values), "max": max(values), "interval": ends, "values": list(values)}


def _width(title: str) -> int:
    return 18 if "interval" in title else max(9, len(title))


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value or "-")
