"""`reproduce`: train a run again from its directory and compare the metrics."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hf_tasks.runs import evaluation, json_files
from hf_tasks.runs.origin import Origin
from hf_tasks.runs.run import ENVIRONMENT, Run
from hf_tasks.runs.status import read_origin
from hf_tasks.tasks.base import TUNED
from hf_tasks.training import train

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Reproduction:
    """A run and its repetition."""

    first: Run
    again: Run

    @property
    def same(self) -> bool:
        """Whether all metrics are identical."""
        return all(one == other for *_, one, other in self.values())

    def values(self) -> Iterator[tuple[str, str, float | None, float | None]]:
        """Yield (split, metric, value of the first run, value of the repetition); None for a missing value."""
        for split in SPLITS:
            one, other = (evaluation.numbers(run.results.get(split, {})) for run in (self.first, self.again))
            yield from ((split, name, one.get(name), other.get(name)) for name in one | other)

    def lines(self) -> Iterator[str]:
        """Yield the report: the metrics with their differences, then the changes that can explain them."""
        for split, name, one, other in self.values():
            yield f"  {split} {name}: {one}" + ("" if one == other else f", now {other}  <- differs")
        changed = list(self.changed())
        yield from (f"  changed: {text}" for text in changed)
        yield "reproduced: every metric is identical" if self.same else "not reproduced: metrics differ"

    def changed(self) -> Iterator[str]:
        """Yield changes that can explain a difference: versions, machine, precision, processes, recipe, data."""
        one, other = (json_files.read(run.path / ENVIRONMENT) for run in (self.first, self.again))
        versions, now = one.get("packages", {}), other["packages"]
        for name in sorted(versions.keys() | now.keys()):
            yield from _change(name, versions.get(name), now.get(name))
        for name in ("python", "platform", "processor", "accelerator", "threads"):
            if name in one:
                yield from _change(name, one[name], other.get(name))
        facts, found = self.first.results, self.again.results
        for name in ("precision", "world_size"):
            yield from _change(name, facts.get("training", {}).get(name), found["training"][name])
        before, again = (read_origin(run.path) for run in (self.first, self.again))
        if before and again:
            yield from _recipe_changes(before, again)
            yield from before.input_changes(again)
            return
        for name, seed in one.get("seeds", {}).items():
            yield from _change(name, seed, other["seeds"].get(name))
        for split, data in facts.get("data", {}).items():
            files = sorted(data["files"].values())
            if files != sorted(found["data"].get(split, {}).get("files", {}).values()):
                yield f"the files of the {split} split"


def reproduce(run: Run, folder: Path | None = None) -> Reproduction:
    """Train a run's recipe again into `folder` (by default RUN-reproduced). Raises RecipeError, DataError or RunError.

    It can be interrupted and resumed like any training.
    """
    folder = folder or run.path.with_name(f"{run.path.resolve().name}-reproduced")
    training = run.recipe.training.model_copy(update={"output_dir": str(folder)})
    recipe = run.recipe.model_copy(update={"training": training, "hub": None})
    again = train(recipe, recipe_dir=run.recipe_folder, overwrite=Run.is_finished(folder))
    return Reproduction(run, again)


def _recipe_changes(before: Origin, again: Origin) -> Iterator[str]:
    """Yield changes of the keys that the first recipe gives; training fills in the others."""
    given = {key: value for key, value in before.recipe.items() if value != TUNED}
    same_keys = {key: value for key, value in again.recipe.items() if key in given}
    yield from replace(before, recipe=given).recipe_changes(replace(again, recipe=same_keys))


def _change(name: str, one: Any, other: Any) -> Iterator[str]:
    if one != other:
        yield f"{name} was {one}, is {other}"
