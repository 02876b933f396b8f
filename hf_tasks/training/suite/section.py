"""A suite file: recipes (rows), and the methods or models that each of them is trained with (columns).

name: glue
rows:
  CoLA: {recipe: acceptability_cola_minilm, metrics: [matthews_correlation]}
  MRPC: {recipe: paraphrase_mrpc_minilm, metrics: [f1, accuracy]}
columns:
  full: {}
  lora: {method.name: lora, training.learning_rate: 1e-3}
seeds: [13, 42, 87]
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import Section
from hf_tasks.core.shipped import find
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.recipe.messages import parsed, problems_of

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class SubmissionFile(Section):
    """An unlabelled file whose predictions are part of the submission."""

    file: str
    """Its path below the folder that --submission names."""
    columns: dict[str, str] = {}
    """The task's name of a column: its name in this file; by default as in the training files."""
    labels: dict[str, str] = {}
    """The name of a label: what is written for it; by default the name."""
    clip: tuple[float, float] | None = None
    """The lowest and highest number that may be written."""


class SuiteRow(Section):
    """A recipe, and what of its results is shown."""

    recipe: str
    """A file, relative to the suite's file, or the name of a shipped recipe."""
    metrics: tuple[str, ...] = ()
    """Names of results, e.g. accuracy or per_class.paraphrase.f1; of several the mean is the score. By default
    the first metric of the recipe."""
    group: str = ""
    """Rows of one group count once in the average, with their mean."""
    overrides: dict[str, Any] = {}
    """Values that replace those of the recipe: dotted.key: value."""
    test: dict[str, SubmissionFile] = {}
    """The files of the submission: name without .tsv: its test file."""


class Suite(Section):
    name: str = Field(pattern=NAME)
    rows: dict[str, SuiteRow] = Field(min_length=1)
    """The rows of the table by name."""
    columns: dict[str, dict[str, Any]] = Field({"score": {}}, min_length=1)
    """The columns of the table by name: values that replace those of every recipe."""
    seeds: tuple[int, ...] | None = None
    """Every cell is trained with each seed."""
    split: Literal["validation", "test"] | None = None
    """The split whose scores are shown; by default test, for a recipe without test the validation split."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One training of the suite: a recipe with the overrides of its row and column."""

    row: str
    column: str
    recipe: Recipe
    recipe_dir: Path


def load(path: Path, overrides: Sequence[str] = ()) -> Suite:
    """Read a suite file. `overrides`: `dotted.key=value` strings of the suite. Raises RecipeError with all problems."""
    source = yaml_file.read(path, tuple(overrides))
    suite, errors = parsed(Suite, source.values)
    problems = [f"{source.where(key)}: {'.'.join(map(str, key))}: {text}" for key, text in
                problems_of(Suite, source.values, errors)]  # fmt: skip
    if suite is None:
        raise RecipeError(*problems)
    names = [(kind, name) for kind in ("rows", "columns") for name in getattr(suite, kind)]
    if wrong := [one for one in names if not re.match(NAME, one[1])]:
        remedy = "names a folder; use letters, digits, dots, dashes"
        raise RecipeError(*(f"{source.where(one)}: {'.'.join(one)}: {remedy}" for one in wrong))
    return suite


def cells(suite: Suite, suite_dir: Path, folder: Path) -> list[Cell]:
    """The trainings of a suite, row by row, into folders below `folder`. Raises RecipeError with all problems."""
    found, problems = [], list[str]()
    for row, of_row in suite.rows.items():
        for column, of_column in suite.columns.items():
            values = {**of_row.overrides, **of_column, "training.output_dir": str(folder / column / row)}
            if suite.seeds:
                values["seeds"] = list(suite.seeds)
            try:
                path = suite_dir / of_row.recipe
                path = path if path.is_file() else find(of_row.recipe)
                found.append(Cell(row, column, recipes.load(path, _lines(values)), path.parent))
            except RecipeError as e:
                problems += [f"row {row}, column {column}: {problem}" for problem in e.problems]
    if problems:
        raise RecipeError(*dict.fromkeys(problems))
    return found


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]
