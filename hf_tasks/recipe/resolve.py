"""Read the splits of a recipe and fill in what depends on the data: labels and metrics."""

from dataclasses import dataclass
from pathlib import Path

from hf_tasks import data, metrics
from hf_tasks.core.distributed import world_size
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.data import DataSplit
from hf_tasks.data.mixture import mixed
from hf_tasks.recipe import Recipe


@dataclass(frozen=True)
class Splits:
    """The splits of a recipe; validation and test are None if the recipe does not have them."""

    train: DataSplit
    validation: DataSplit | None
    test: DataSplit | None

    def named(self) -> dict[str, DataSplit]:
        return {name: split for name, split in vars(self).items() if split is not None}


Resolved = tuple[Recipe, Splits]


def resolve(recipe: Recipe, recipe_dir: Path | None) -> tuple[Recipe, Splits]:
    """Read and check all splits; returns them and the recipe with the labels and metrics filled in.

    With `data.folds`, the test split is `data.fold`, by default the first fold. Raises DataError or RecipeError.
    """
    section = recipe.data
    if section.mixture:
        return _resolve_mixture(recipe, recipe_dir)
    train, validation, test = _read(recipe, recipe_dir)
    if train is None:
        raise RecipeError("data.train: missing; name the file, glob or Hub split to train on")
    whole = train
    train = data.sample(train, recipe.task, section.max_examples, recipe.data_seed)
    try:
        if section.folds:
            train, test = data.fold_of(train, recipe.task, section.folds, section.fold or 1, recipe.data_seed)
        if validation is None and section.validation_size:
            train, validation = data.hold_out(train, recipe.task, section.validation_size, recipe.data_seed)
    except DataError as e:
        raise DataError(*train.problems.shown, *e.problems) from None
    flags = section.columns.get("labels")
    try:
        partial = section.max_examples or section.folds
        fitted = whole if partial else train  # labels and tags are those of the whole file
        task = recipe.task.fit(fitted.examples, flags if isinstance(flags, tuple) else ())
    except ValueError as e:
        raise DataError(*train.problems.shown, f"{train.where(0).rpartition(':')[0]}: {e}") from None
    for name in task.metrics:
        metrics.find(name)  # before the model is loaded
    named = {"train": train, "validation": validation, "test": test}
    given = {name: split for name, split in named.items() if split is not None}
    checked = dict(zip(given, data.check_splits(list(given.values()), task, section.bad_rows), strict=True))
    recipe = recipe.model_copy(update={"task": task})
    return recipe, Splits(checked["train"], checked.get("validation"), checked.get("test"))


def _resolve_mixture(recipe: Recipe, recipe_dir: Path | None) -> tuple[Recipe, Splits]:
    """Resolve the datasets of a mixture one by one and join their splits. Raises DataError with the errors of all."""
    found: dict[str, Splits] = {}
    broken: list[str] = []
    for name, section in recipe.data.datasets().items():
        try:
            found[name] = resolve(recipe.model_copy(update={"data": section}), recipe_dir)[1]
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*broken)
    prefixes = {name: one.prefix for name, one in recipe.data.mixture.items()}
    named = [{name: split for name, of_one in found.items() if (split := of_one.named().get(kind)) is not None}
             for kind in ("train", "validation", "test")]  # fmt: skip
    train, validation, test = (mixed(splits, prefixes) for splits in named)
    assert train is not None
    return recipe.model_copy(update={"task": recipe.task.fit(train.examples)}), Splits(train, validation, test)


def resolve_early(recipe: Recipe, recipe_dir: Path | None) -> Resolved | None:
    """Resolve a recipe whose data are files of this machine, so that errors in them come before torch is imported;
    returns None for other recipes, and in a training of several processes."""
    return None if recipe.data.path or world_size() > 1 else resolve(recipe, recipe_dir)


def _read(recipe: Recipe, recipe_dir: Path | None) -> tuple[DataSplit | None, DataSplit | None, DataSplit | None]:
    """Read train, validation and test. Raises DataError with the errors of all three."""
    found: dict[str, DataSplit | None] = {"test": None}
    broken: list[str] = []
    for name in ("train", "validation") if recipe.data.folds else ("train", "validation", "test"):
        try:
            found[name] = data.read_split(
                recipe.data,
                name,
                recipe.task,
                seed=recipe.data_seed,
                recipe_dir=recipe_dir,
                report_errors=False,
                whole=name == "train",
            )
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*(text for split in found.values() if split for text in split.problems.shown), *broken)
    return found["train"], found["validation"], found["test"]
