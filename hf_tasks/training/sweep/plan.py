"""The plan of a sweep: the search space and the recipe of each trial, all checked before training; the best recipe."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RecipeError
from hf_tasks.data.paths import folders
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.recipe.search_space import Scalar, Space, assignments, combinations, parse, size, to_try
from hf_tasks.recipe.sections import Sweep
from hf_tasks.recipe.yaml_edit import edited

GRID, TRIALS = 50, 20
"""Maximum size of a grid search, and default number of trials of a random search."""
REMOVED = ("data.test=null", "data.folds=null", "hub=null", "sweep=null", "seeds=null")
"""Keys removed for trials: no test split, no folds, no push."""
NOT_SWEPT = ("name", "training.output_dir", "data.test", "data.folds", "data.fold", "hub", "sweep", "seeds")
"""Keys and sections that cannot be swept."""


@dataclass(frozen=True)
class Plan:
    """The recipe, search space and settings of a sweep."""

    path: Path
    """The recipe file."""
    overrides: tuple[str, ...]
    """The overrides by --set for every trial."""
    space: Space
    settings: Sweep
    places: Mapping[str, str]
    """Location of each key of the space: `--over KEY=...`, or recipe.yaml:7."""

    @classmethod
    def of(cls, path: Path, overrides: Sequence[str], over: Sequence[str], options: Mapping[str, Any]) -> "Plan":
        """Make and check the plan of a sweep. Raises RecipeError with all errors of all trials.

        `over`: `key=values` strings, which add to the recipe's section; `options`: values that replace the section's.
        """
        source = yaml_file.read(path, tuple(overrides))
        section = recipes.validate(source, recipe_dir=path.parent).sweep or Sweep.model_validate({})
        written = {key: parse(text) for key, text in section.space.items()}
        places = {key: source.where(("sweep", "space", key)) for key in written}
        given = [(*_over(text), f"--over {text}") for text in over]
        places |= {key: place for key, _, place in given}
        _check_keys([*written, *(key for key, *_ in given if key not in written)], [key for key, *_ in given], places)
        settings = section.model_copy(update={name: value for name, value in options.items() if value is not None})
        plan = cls(path, tuple(overrides), written | {key: values for key, values, _ in given}, settings, places)
        plan._check()
        return plan

    @property
    def grid(self) -> list[dict[str, Scalar]] | None:
        """All combinations if there are few enough for a grid search, else None."""
        return combinations(self.space) if size(self.space) <= (self.settings.trials or GRID) else None

    @property
    def trials(self) -> int:
        return len(self.grid) if self.grid is not None else self.settings.trials or TRIALS

    def recipe(self, values: Mapping[str, Scalar], output_dir: Path | None = None) -> Recipe:
        """Return the recipe of a trial. Raises RecipeError."""
        return recipes.load(self.path, [*self.changes(values), *_fixed(output_dir)])

    def changes(self, values: Mapping[str, Scalar]) -> list[str]:
        """Return the overrides of a trial as `dotted.key=value` strings."""
        metric = [f"training.metric_for_best_model={self.settings.metric}"] if self.settings.metric else []
        return [*self.overrides, *metric, *assignments(values)]

    def first(self) -> dict[str, Scalar]:
        """Return the first combination of values."""
        return {key: values.tried()[0] for key, values in self.space.items()}

    def _check(self) -> None:
        if not self.space:
            raise RecipeError("no key is varied; add for example --over training.learning_rate=1e-5..1e-3:log")
        problems = [problem for key, values in self._combinations() for problem in self._problems(key, values)]
        if problems:
            raise RecipeError(*dict.fromkeys(problems))

    def _combinations(self) -> list[tuple[str, dict[str, Scalar]]]:
        all_of_grid = [(key, values) for values in self.grid or () for key in list(values)[:1]]
        return [*to_try(self.space), *all_of_grid]

    def _problems(self, key: str, values: dict[str, Scalar]) -> list[str]:
        """Return the errors of a trial's recipe, with the location of the key of the space."""
        try:
            self.recipe(values)
        except RecipeError as e:
            texts = [f"--set {assignment}: " for assignment in assignments(values)]
            written = dict(zip(texts, map(self.places.__getitem__, values), strict=True))
            return [_placed(problem, written) for problem in e.problems]
        return []


def _placed(problem: str, written: Mapping[str, str]) -> str:
    for text, place in written.items():
        if problem.startswith(text):
            return f"{place}: {problem.removeprefix(text)}"
    return problem


def _check_keys(keys: Sequence[str], given: Sequence[str], places: Mapping[str, str]) -> None:
    """Raise RecipeError for keys that cannot be swept or that the command line varies twice."""
    double = [key for i, key in enumerate(given) if key in given[:i]]
    problems = [f"{places[key]}: {key} is varied twice; give all its values in one --over" for key in double]
    for key in keys:
        if any(f"{key}.".startswith(f"{own}.") for own in NOT_SWEPT):
            problems.append(f"{places[key]}: {key} cannot be varied by a sweep; vary another key")
    if problems:
        raise RecipeError(*problems)


def _over(text: str) -> tuple[str, Any]:
    key, equals, values = text.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise RecipeError(f"--over {text}: does not have the form key=values; write e.g. method.name=full,lora")
    try:
        return key.strip(), parse(values)
    except ValueError as e:
        raise RecipeError(f"--over {text}: {e}") from None


def _fixed(output_dir: Path | None) -> list[str]:
    return [*REMOVED, *([f"training.output_dir={json.dumps(str(output_dir))}"] if output_dir else [])]


def write_best(plan: Plan, values: Mapping[str, Scalar], score: str, path: Path) -> None:
    """Write the recipe with the values of a trial, with the user's comments and order if possible.

    `score`: the trial's score, for the first comment.
    """
    changes = plan.changes(values)
    changes += _places(plan, changes, path.parent)
    source = yaml_file.read(plan.path, tuple(changes))
    text = edited(plan.path.read_text(encoding="utf-8-sig"), source.values)
    if recipes.validate(yaml_file.parse(text, str(path)), recipe_dir=path.parent) != recipes.validate(source):
        text = recipes.to_yaml(recipes.validate(source))
    heading = f"# {plan.path.name} with the values of a sweep's best trial: {score}. Comments below are older.\n"
    path.write_text(heading + text, encoding="utf-8")


def _places(plan: Plan, changes: list[str], folder: Path) -> list[str]:
    """Return the overrides by which the recipe's files are found from another folder."""
    source = yaml_file.read(plan.path, tuple(changes))
    with contextlib.suppress(RecipeError):
        recipes.validate(source, recipe_dir=folder)
        return []
    recipe, recipe_dir = recipes.validate(source), plan.path.parent
    data_dir = folders(recipe.data.data_dir, recipe_dir)[0] if recipe.data.data_dir else recipe_dir
    template = (
        recipe.card.template and f"card.template={json.dumps(str((recipe_dir / recipe.card.template).resolve()))}"
    )
    return [f"data.data_dir={json.dumps(str(data_dir.resolve()))}", *([template] if template else [])]
