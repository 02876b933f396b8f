"""`seeds`: one training for each seed, with the mean and standard deviation of the metrics.

A seed determines new weights (of the head, of adapters, of models trained from scratch), the order of batches and
dropout. The data are the same for all seeds: the holdout and `max_examples` are drawn by `data.seed`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RunError
from hf_tasks.recipe import Recipe
from hf_tasks.runs import same_data
from hf_tasks.training.run_group import LEVEL, SPLITS, RunGroup, summarize_split


class SeedRuns(RunGroup):
    """The runs of one recipe with several seeds."""

    kind: ClassVar[str] = "seed"
    few: ClassVar[int] = 5

    def recipe_of(self, recipe: Recipe, number: int) -> Recipe:
        """Return the recipe of one seed, with `data.seed` set to the common seed of the data."""
        values = json.loads(recipe.model_dump_json(exclude_unset=True, exclude={"seeds"}))
        values["data"]["seed"] = recipe.data_seed
        values["training"] = values.get("training", {}) | {"seed": number, "output_dir": str(self.folder(number))}
        return recipes.from_dict(values)

    def summarize(
        self, numbers: Sequence[int], measured: Sequence[dict[str, Any]], recipe_dir: Path | None = None
    ) -> dict[str, Any]:
        """Return the content of seeds.json from the results of the runs."""
        splits = [name for name in SPLITS if name in measured[0]]
        found = {split: summarize_split([results[split] for results in measured]) for split in splits}
        return {"seeds": list(numbers), **found, "data": measured[0].get("data", {})}


def train(recipe: Recipe, *, recipe_dir: Path | None = None, overwrite: bool = False) -> SeedRuns:
    """Train a recipe with several seeds, see `RunGroup.train`."""
    assert recipe.seeds
    group = SeedRuns(recipe.output_dir)
    group.train(recipe, recipe.seeds, recipe_dir, overwrite)
    return group


def compare(first: SeedRuns, second: SeedRuns, split: str) -> Iterator[str]:
    """Yield lines that compare the means of two groups of seeds by Welch's t test. Raises RunError.

    Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28.
    """
    groups = [(group, group.results.get(split, {})) for group in (first, second)]
    for group, measured in groups:
        if not measured:
            raise RunError(f"{group.path}: its seeds have no {split} split; choose another one with --split")
        if len(group.numbers) < 2:
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
