"""`seeds`: one training for each seed, with the mean and standard deviation of the metrics.

runs/NAME/seed-13, seed-42, ...   complete runs
runs/NAME/seeds.json              for every split and metric: mean, std, min, max, interval, the values of the seeds

A seed determines new weights (of the head, of adapters, of models trained from scratch), the order of batches and
dropout. The data are the same for all seeds: the holdout and `max_examples` are drawn by `data.seed`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hf_tasks import recipe as recipes
from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import write_errors, write_json
from hf_tasks.core.terminal import say
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation, json_files, same_data
from hf_tasks.runs.run import Run
from hf_tasks.runs.status import read_origin

RESULTS = "seeds.json"
SPLITS = ("validation", "test")
LEVEL = 0.95
FEW = 5
"""With fewer seeds, the interval of the mean depends on the assumption of normality."""


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one recipe with several seeds, in the folders below `path`."""

    path: Path

    @classmethod
    def load(cls, path: str | Path) -> "SeedRuns":
        """Load the runs in a directory. Raises RunError if not all of them are trained."""
        group = cls(Path(path))
        if not group.is_here(group.path):
            raise RunError(f"{path}: there are no runs of several seeds (no {RESULTS}); train a recipe with seeds")
        return group

    @staticmethod
    def is_here(path: str | Path) -> bool:
        """Whether a directory contains the trained runs of all seeds of a recipe."""
        return (Path(path) / RESULTS).is_file()

    @cached_property
    def results(self) -> dict[str, Any]:
        """The content of seeds.json: `seeds`, and for each split {metric: summary}."""
        return json_files.read(self.path / RESULTS)

    @cached_property
    def runs(self) -> dict[int, Run]:
        """The run of each seed."""
        return {seed: Run.load(folder(self.path, seed)) for seed in self.results["seeds"]}

    def lines(self) -> Iterator[str]:
        """Yield a table of the results for each split."""
        for split in (name for name in SPLITS if name in self.results):
            yield from split_lines(split, self.results["seeds"], self.results[split])


def split_lines(split: str, seeds: Sequence[int], measured: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one split's table; `measured` is what `summarize_split` returns."""
    yield f"{split}, seeds {', '.join(map(str, seeds))}"
    if len(seeds) < FEW:
        yield f"  Student's t over {len(seeds)} seeds: the intervals assume a normal distribution"
    header = ("mean", "std", "min", "max", f"{LEVEL:.0%} interval", *(f"seed {seed}" for seed in seeds))
    yield f"  {'metric':<22} " + " ".join(f"{name:>{_width(name)}}" for name in header)
    for name, row in measured.items():
        low, high = row["interval"] or (None, None)
        interval = f"[{low:.4f}, {high:.4f}]" if row["interval"] else "-"
        cells = [row["mean"], row["std"], row["min"], row["max"], interval, *row["values"]]
        shown = [f"{_shown(cell):>{_width(title)}}" for title, cell in zip(header, cells, strict=True)]
        yield f"  {name:<22} {' '.join(shown)}"


def train(recipe: Recipe, *, recipe_dir: Path | None = None, overwrite: bool = False) -> SeedRuns:
    """Train a recipe with several seeds; the same call resumes an interrupted one, finished seeds are kept.

    Raises RecipeError, DataError or RunError.
    """
    from hf_tasks.training import train as train_one

    assert recipe.seeds
    path = recipe.output_dir
    _check_free(path)
    if overwrite and distributed.is_main():
        (path / RESULTS).unlink(missing_ok=True)
    measured = list[dict[str, Any]]()
    for i, seed in enumerate(recipe.seeds, 1):
        say(f"seed {seed}, {i} of {len(recipe.seeds)}")
        measured.append(train_one(of_seed(recipe, seed), recipe_dir=recipe_dir, overwrite=overwrite).results)
        _check_alike(path, recipe.seeds[0], seed)
    results = summarize(recipe.seeds, measured)
    distributed.broadcast_from_main(lambda: _write(path, results))
    return SeedRuns(path)


def of_seed(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe of one seed, with `data.seed` set to the common seed of the data."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True, exclude={"seeds"}))
    values["data"]["seed"] = recipe.data_seed
    values["training"] = values.get("training", {}) | {"seed": seed, "output_dir": str(folder(recipe.output_dir, seed))}
    return recipes.from_dict(values)


def folder(path: Path, seed: int) -> Path:
    """Return the folder of the run of a seed."""
    return path / f"seed-{seed}"


def summarize(seeds: Sequence[int], measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of seeds.json from the results of the runs."""
    splits: dict[str, Any] = {}
    for split in (name for name in SPLITS if name in measured[0]):
        splits[split] = summarize_split([results[split] for results in measured])
    return {"seeds": list(seeds), **splits, "data": measured[0].get("data", {})}


def summarize_split(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarize every number that all runs have of a split."""
    rows = [evaluation.numbers(dict(results)) for results in measured]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: summary([float(row[name]) for row in rows]) for name in names if name != "n"}


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return mean, sample standard deviation (n - 1), min, max, and the 95 % interval of the mean by Student's t.

    Deviation and interval are None for a single value.
    """
    from scipy.stats import t

    n, mean = len(values), float(np.mean(values))
    std = float(np.std(values, ddof=1)) if n > 1 else None
    half = None if std is None else float(t.ppf((1 + LEVEL) / 2, n - 1)) * std / n**0.5
    interval = None if half is None else [mean - half, mean + half]
    ends = {"min": min(values), "max": max(values)}
    return {"mean": mean, "std": std, **ends, "interval": interval, "values": list(values)}


def compare(first: SeedRuns, second: SeedRuns, split: str) -> Iterator[str]:
    """Yield lines that compare the means of two groups of seeds by Welch's t test. Raises RunError.

    Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28.
    """
    groups = [(group, group.results.get(split, {})) for group in (first, second)]
    for group, measured in groups:
        if not measured:
            raise RunError(f"{group.path}: its seeds have no {split} split; choose another one with --split")
        if len(group.results["seeds"]) < 2:
            raise RunError(f"{group.path}: has only one seed; a test of means needs at least two")
    same_data.check([(str(group.path), group.results.get("data", {})) for group, _ in groups], (split,))
    yield f"{split}; first: {first.path}, second: {second.path}"
    yield f"  {'metric':<22} {'first':>9} {'second':>9} {'difference':>11}  {'95 % interval':<20} {'p':>7}  test"
    for name in (name for name in groups[0][1] if name in groups[1][1]):
        one, other = (measured[name] for _, measured in groups)
        (low, high), p = welch(one["values"], other["values"])
        yield (
            f"  {name:<22} {one['mean']:>9.4f} {other['mean']:>9.4f} {other['mean'] - one['mean']:>+11.4f}  "
            f"{f'[{low:+.4f}, {high:+.4f}]':<20} {p:>7.4f}  Welch's t"
        )


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[tuple[float, float], float]:
    """Return the 95 % interval of the difference second - first and the two-sided p value of Welch's t test.

    For two groups without variance p is 0 or 1.
    """
    from scipy.stats import ttest_ind

    if len({*first}) == len({*second}) == 1:
        difference = second[0] - first[0]
        return (difference, difference), float(difference == 0)
    test = ttest_ind(second, first, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    return (float(interval.low), float(interval.high)), float(test.pvalue)


def _write(path: Path, results: dict[str, Any]) -> None:
    with write_errors(path):
        write_json(path / RESULTS, results)


def _check_alike(path: Path, first: int, seed: int) -> None:
    """Raise RunError if a seed was trained on other data or from another checkpoint than the first one."""
    before, now = (read_origin(folder(path, one)) for one in (first, seed))
    if before and now and (changes := list(before.input_changes(now))):
        remedy = "their mean would mix both; undo that, or train all seeds again with --overwrite"
        raise RunError(*(f"{folder(path, seed)}: after seed {first}, {change}; {remedy}" for change in changes))


def _check_free(path: Path) -> None:
    """Raise RunError if the directory contains anything except runs of seeds; it is never changed."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: exists and is not a folder; choose another --output-dir")
    entries = [entry.name for entry in path.iterdir()] if path.exists() else []
    strange = [name for name in entries if not (re.fullmatch(r"seed-\d+", name) or name[0] == "." or name == RESULTS)]
    if strange:
        other = f"contains {sorted(strange)[0]}, which is not a run of a seed"
        what = "contains a run of one seed" if Run.is_ours(path) else other
        raise RunError(f"{path}: {what}; choose another --output-dir")


def _width(title: str) -> int:
    return 18 if "interval" in title else max(9, len(title))


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value or "-")
