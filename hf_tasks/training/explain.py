"""`explain`: show every resolved value of a recipe and its origin."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tasks import recipe as recipes
from hf_tasks.core.section import Section
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.recipe.resolve import resolve
from hf_tasks.training.arguments import arguments


@dataclass(frozen=True)
class Setting:
    """A resolved value of a recipe."""

    key: str
    value: Any
    origin: str
    """`recipe.yaml:7`, `--set ...`, `from the training data`, or `default: ` and the key's description."""


def explain(path: Path, overrides: tuple[str, ...] = ()) -> list[Setting]:
    """Read a recipe file and its data, and return all resolved values. Raises RecipeError, DataError or RunError."""
    source = yaml_file.read(path, overrides)
    recipe = recipes.validate(source, recipe_dir=path.parent)
    resolved, splits = resolve(recipe, path.parent)
    found = list(_block(resolved, recipe, source, ()))
    training = _training(resolved, source, validated=splits.validation is not None)
    return sorted((*found, *training), key=lambda value: list(Recipe.model_fields).index(value.key.split(".")[0]))


def lines(values: list[Setting]) -> Iterator[str]:
    """Yield the values as lines with aligned columns."""
    shown = [(value.key, _shown(value.value), value.origin) for value in values]
    width, longest = (max(len(row[i]) for row in shown) for i in (0, 1))
    for key, text, origin in shown:
        yield f"{key:<{width}}  {text:<{longest}}  {origin}"


def _block(resolved: Section, given: Section, source: yaml_file.Source, above: yaml_file.Key) -> Iterator[Setting]:
    for name, field in type(resolved).model_fields.items():
        key, value = (*above, name), getattr(resolved, name)
        if key == ("training",):
            continue
        if isinstance(value, Section):
            yield from _block(value, getattr(given, name), source, key)
        elif _is_written(source, key):
            yield Setting(".".join(map(str, key)), value, source.where(key))
        elif value != getattr(given, name):
            yield Setting(".".join(map(str, key)), value, "from the training data")
        else:
            yield Setting(".".join(map(str, key)), value, f"default: {_first_sentence(field.description)}".rstrip(": "))


def _training(recipe: Recipe, source: yaml_file.Source, *, validated: bool) -> Iterator[Setting]:
    """Yield the given values and those that differ from transformers' defaults, without paths."""
    from transformers import TrainingArguments

    args, plain = arguments(recipe, validated=validated), TrainingArguments("x")
    given = recipe.training.given()
    for name, value in {**vars(args), **given}.items():
        if name in given:
            yield Setting(f"training.{name}", value, source.where(("training", name)))
        elif name in TrainingArguments.__dataclass_fields__ and value != getattr(plain, name) and "_dir" not in name:
            yield Setting(
                f"training.{name}", value, f"hf_tasks' default; transformers has {_shown(getattr(plain, name))}"
            )


def _is_written(source: yaml_file.Source, key: yaml_file.Key) -> bool:
    values: Any = source.values
    for step in key:
        if not isinstance(values, dict) or step not in values:
            return False
        values = values[step]
    return True


def _first_sentence(text: str | None) -> str:
    return re.split(r"\.\s+(?=[A-Z])", " ".join((text or "").split()))[0].rstrip(".")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 48 else f"{text[:45]}..."
