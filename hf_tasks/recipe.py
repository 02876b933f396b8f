"""A recipe names five things: data, task, model, method, decoding. `load` reads one from a YAML file.

All problems of a file are reported at once, one a line: `file:line: path: what is wrong; what to do`.
"""

import json
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import yaml
from pydantic import Field, ValidationError

from hf_tasks import recipe_file
from hf_tasks.block import Block, did_you_mean, mirror
from hf_tasks.data.section import Data
from hf_tasks.errors import RecipeError
from hf_tasks.methods import AnyMethod, Full
from hf_tasks.models.section import Model
from hf_tasks.tasks import AnyTask

if TYPE_CHECKING:
    Training = Block
else:
    Training = mirror("transformers.training_args", "TrainingArguments")


class EarlyStopping(Block):
    """Stop when the metric of the best checkpoint no longer improves (transformers.EarlyStoppingCallback)."""

    early_stopping_patience: int = Field(1, ge=1)
    """Evaluations without improvement after which training stops."""
    early_stopping_threshold: float = Field(0.0, ge=0)
    """What counts as improvement, in units of the metric."""


class Recipe(Block):
    """One training, whole: what is learned from what, by which model, how."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the run's folder: letters, digits, dots, dashes."""
    task: AnyTask
    data: Data
    model: Model
    method: AnyMethod = Full(name="full")
    training: Training = Training()
    """transformers.TrainingArguments, under its own key names."""
    early_stopping: EarlyStopping | None = None

    @property
    def seed(self) -> int:
        return self.training.given().get("seed", 42)  # type: ignore[no-any-return]

    @property
    def output_dir(self) -> Path:
        """The run's directory: `training.output_dir`, or runs/NAME."""
        return Path(self.training.given().get("output_dir") or f"runs/{self.name}")


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe file; `overrides` are `dotted.key=value` strings. Raises RecipeError."""
    return validate(recipe_file.read(Path(path), tuple(overrides)))


def from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values. Raises RecipeError."""
    return validate(recipe_file.Source("recipe", values))


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML: every key that was given or resolved, defaults left out."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def validate(source: recipe_file.Source) -> Recipe:
    """The recipe that `source` describes. Raises RecipeError with every problem of the source."""
    try:
        recipe = Recipe.model_validate_json(json.dumps(source.values, default=str), strict=True)
    except ValidationError as e:
        problems = dict.fromkeys(_problem(source, error) for error in e.errors(include_url=False))
        raise RecipeError(*problems) from None
    problems = dict.fromkeys(
        f"{source.where(key)}: {'.'.join(map(str, key))}: {text}" for key, text in _clashes(recipe)
    )
    if problems:
        raise RecipeError(*problems)
    return recipe


def _clashes(recipe: Recipe) -> Iterator[tuple[recipe_file.Key, str]]:
    """Combinations of sections that cannot work together: (key, what is wrong; what to do)."""
    given = recipe.training.given()
    if given.get("hub_token"):
        yield ("training", "hub_token"), "a token does not belong in a recipe; log in with: hf auth login"
    if given.get("bf16") and given.get("fp16"):
        yield ("training", "fp16"), "bf16 and fp16 exclude each other; keep one of them"
    if recipe.early_stopping and given.get("eval_strategy") == "no":
        yield ("early_stopping",), 'needs evaluations during training; set training.eval_strategy to "epoch" or "steps"'
    if recipe.data.no_validation and (recipe.early_stopping or given.get("load_best_model_at_end")):
        yield ("data", "validation_size"), "the best checkpoint is chosen on a validation part; give a size above 0"
    yield from ((("task", *key), text) for key, text in recipe.task.clashes())


def _problem(source: recipe_file.Source, error: Any) -> str:
    """One pydantic error as `file:line: path: what is wrong; what to do`."""
    key = _written_key(source.values, error["loc"])
    dotted = ".".join(map(str, key)) or "recipe"
    match error["type"]:
        case "missing":
            text = "missing; this key has no default, add it"
        case "extra_forbidden":
            text = f"unknown key{did_you_mean(str(key[-1]), _fields_at(source.values, key[:-1]))}"
        case "union_tag_invalid":
            names = [n.strip("' ") for n in error["ctx"]["expected_tags"].split(",")]
            key, dotted = (*key, "name"), f"{dotted}.name"
            text = f'there is no "{error["ctx"]["tag"]}"{did_you_mean(error["ctx"]["tag"], names)}'
            text += f" (one of: {', '.join(names)})"
        case "union_tag_not_found":
            text = "its key `name` is missing; add it"
        case "value_error":
            text = str(error["ctx"]["error"])
        case _:
            found = json.dumps(error["input"], ensure_ascii=False, default=str)
            text = f"{error['msg'][0].lower()}{error['msg'][1:]}; found {found}"
            if error["type"] == "string_type" and not isinstance(error["input"], dict | list | None):
                text += f', write "{found}" in quotes'
    return f"{source.where(key)}: {dotted}: {text}"


def _written_key(values: Any, loc: Sequence[str | int]) -> recipe_file.Key:
    """`loc` without the union tags that pydantic puts between the keys that were really written."""
    key: list[str | int] = []
    for i, part in enumerate(loc):
        inside = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if inside:
            values = values[part]
        elif i < len(loc) - 1 or not isinstance(values, dict):
            continue
        key.append(part)
    return tuple(key)


def _fields_at(values: Any, key: recipe_file.Key) -> list[str]:
    """The keys that the section at `key` may have."""
    blocks: list[Any] = [Recipe]
    for part in key:
        values = values.get(part) if isinstance(values, dict) else None
        blocks = [b for block in blocks if part in block.model_fields for b in _blocks(block.model_fields[str(part)])]
    name = values.get("name") if isinstance(values, dict) else None
    named = [b for b in blocks if "name" in b.model_fields and name in get_args(b.model_fields["name"].annotation)]
    return [field for block in named or blocks for field in block.model_fields]


def _blocks(field: Any) -> list[type[Block]]:
    """The Block classes that a field may hold."""
    todo, found = [field.annotation], []
    while todo:
        kind = todo.pop()
        if get_origin(kind) in (Union, types.UnionType):
            todo.extend(get_args(kind))
        elif isinstance(kind, type) and issubclass(kind, Block):
            found.append(kind)
    return found
