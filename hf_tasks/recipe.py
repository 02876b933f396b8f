"""A recipe names four things: data, task, model, method. `load` reads one from a YAML file.

All problems of a file are reported at once, one a line: `file:line: path: what is wrong; what to do`.
"""

import json
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import Field, ValidationError

from hf_tasks import recipe_file
from hf_tasks.block import Block, did_you_mean, mirror
from hf_tasks.card_section import Card
from hf_tasks.data import parallel
from hf_tasks.data.find import find, folders
from hf_tasks.data.section import Data, Parallel
from hf_tasks.decoding import AnyDecoding
from hf_tasks.errors import DataError, RecipeError
from hf_tasks.hub.section import Hub
from hf_tasks.methods import AnyMethod, Full
from hf_tasks.models.section import Model
from hf_tasks.sweep.section import Sweep
from hf_tasks.tasks import AnyTask, GenerativeTask
from hf_tasks.tasks.base import TUNED

B = TypeVar("B", bound=Block)
Problems = Iterator[tuple[recipe_file.Key, str]]
"""Keys, and what is wrong with each; what to do."""

if TYPE_CHECKING:
    _Arguments = Block
else:
    _Arguments = mirror("transformers.training_args", "TrainingArguments")


class Training(_Arguments):
    """transformers.TrainingArguments, under its own key names, and the effective batch."""

    batch_size: int | None = Field(None, ge=1)
    """Rows that one optimizer step learns from, however many processes share them (32 where nothing says otherwise).
    With per_device_train_batch_size: at most so many of them on a device at once."""


POSITIVE = {"learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps"}
NOT_HERE = {
    "hub_token": "a token does not belong in a recipe; remove it, log in with: hf auth login",
    "push_to_hub": "the trainer pushes nothing; remove it, and add hub: {repo_id: ORG/NAME} beside training",
    "label_smoothing_factor": "remove it; a task whose model writes texts has task.label_smoothing",
    "resume_from_checkpoint": "the same command goes on with an interrupted training; remove it",
    "auto_find_batch_size": "a step that does not fit in memory is divided by itself; remove it",
    "enable_jit_checkpoint": "a signal to stop saves a checkpoint by itself; remove it",
    "save_only_model": "an interrupted training goes on from whole checkpoints; remove it",
    "ignore_data_skip": "a training that goes on sees each row as often as any other; remove it",
    "dataloader_drop_last": "every row trains; remove it",
}
"""Keys of TrainingArguments that would be accepted and mean nothing, or harm."""


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
    """What is learned: the shape of the problem."""
    data: Data
    """What it is learned from."""
    model: Model
    """The checkpoint that training starts from."""
    method: AnyMethod = Full(name="full")
    """Which parameters train."""
    decoding: AnyDecoding | None = None
    """How a text is found, for tasks whose model writes texts: beam search for translation and summarization, else
    greedy, where not given."""
    training: Training = Training()
    """transformers.TrainingArguments, under its own key names."""
    seeds: tuple[int, ...] | None = None
    """One training for each seed, e.g. [13, 42, 87]; results are their mean and spread."""
    early_stopping: EarlyStopping | None = None
    """Stop before the last epoch when the metric no longer improves."""
    card: Card = Card()
    """What the model card says and no file can tell."""
    hub: Hub | None = None
    """Where the run is pushed at the end; nowhere where not given."""
    sweep: Sweep | None = None
    """What `hf-tasks sweep` varies; a training by itself does not read it."""

    @property
    def seed(self) -> int:
        return self.training.given().get("seed", 42)  # type: ignore[no-any-return]

    @property
    def data_seed(self) -> int:
        """What draws the held-out validation part and `data.max_examples`."""
        return self.seed if self.data.seed is None else self.data.seed

    @property
    def output_dir(self) -> Path:
        """The run's directory: `training.output_dir`, or runs/NAME."""
        return Path(self.training.given().get("output_dir") or f"runs/{self.name}")


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe file, and find its data files; `overrides` are `dotted.key=value` strings.

    Raises RecipeError.
    """
    return validate(recipe_file.read(Path(path), tuple(overrides)), beside=Path(path).parent)


def from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values. Raises RecipeError."""
    return validate(recipe_file.Source("recipe", values))


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML: every key that was given or resolved, defaults left out."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def validate(source: recipe_file.Source, beside: Path | None = None) -> Recipe:
    """The recipe that `source` describes. Raises RecipeError with every problem of the source.

    `beside`: the folder of the recipe; the data files are looked up too, as `data.read_part` does.
    """
    recipe, errors = _parsed(Recipe, source.values)
    wrong = [_written_key(source.values, error) for error in errors]
    rest = _without(source.values, wrong)
    problems = list(_one_a_key(source.values, errors))
    if known := recipe or _parsed(Recipe, rest)[0]:
        problems += [(key, text) for key, text in _clashes(known) if key not in wrong]
    if beside and (data := _parsed(Data, rest.get("data", {}))[0]):
        problems += _missing_files(data, beside)
    if beside and known and known.card.template and not (beside / known.card.template).is_file():
        problems.append((("card", "template"), f"there is no file {known.card.template} beside the recipe; name one"))
    if problems:
        raise RecipeError(*dict.fromkeys(f"{source.where(key)}: {_dotted(key)}: {text}" for key, text in problems))
    assert recipe is not None
    return recipe


def _dotted(key: recipe_file.Key) -> str:
    return ".".join(map(str, key)) or "recipe"


def _parsed(block: type[B], values: Any) -> tuple[B | None, list[Any]]:
    """(the block, or None where there are errors; pydantic's errors)."""
    try:
        return block.model_validate_json(json.dumps(values, default=str), strict=True), []
    except ValidationError as e:
        return None, e.errors(include_url=False)


def _without(values: Any, keys: Sequence[recipe_file.Key]) -> Any:
    """A copy of nested values without some keys."""
    if not isinstance(values, dict):
        return values
    below = {name: [key[1:] for key in keys if key[:1] == (name,)] for name in values}
    return {name: _without(value, below[name]) for name, value in values.items() if () not in below[name]}


def _missing_files(data: Data, beside: Path) -> Problems:
    """The data files that cannot be found."""
    try:
        places = folders(data.data_dir, beside)
    except DataError as e:
        yield from ((("data", "data_dir"), text.removeprefix("data.data_dir: ")) for text in e.problems)
        return
    parts = {} if data.path else {"train": data.train, "validation": data.validation, "test": data.test}
    for name, named in parts.items():
        try:
            match named:
                case Parallel():
                    parallel.files(named, places)
                case _:
                    find((named,) if isinstance(named, str) else named or (), places)
        except DataError as e:
            yield from ((("data", name), text) for text in e.problems)


def _clashes(recipe: Recipe) -> Problems:
    """Combinations of keys that cannot work together."""
    yield from _training_clashes(recipe)
    yield from _seeds_clashes(recipe)
    yield from _model_clashes(recipe)
    if recipe.decoding and not isinstance(recipe.task, GenerativeTask):
        yield ("decoding",), f"{recipe.task.name} writes no text; remove it"
    for key in [key for key, value in recipe.task if value == TUNED and recipe.data.no_validation]:
        yield ("task", key), "is tuned on a validation part, and there is none; give its value, or data.validation"
    if not recipe.data.path and recipe.data.train is None:
        yield ("data", "train"), "missing; name the file or glob to train on"
    known = (*recipe.task.inputs, *recipe.task.optional, *recipe.task.targets)
    for name in ("train", "validation", "test"):
        if isinstance(recipe.data.part(name), Parallel) and not {"source", "target"} <= set(known):
            yield ("data", name), f"{recipe.task.name} has no source and target; name a file or glob"
    for column in [name for name in recipe.data.columns if name not in known]:
        text = f"{recipe.task.name} has no such column{did_you_mean(column, known)} (one of: {', '.join(known)})"
        yield ("data", "columns", column), text
    yield from ((("task", *key), text) for key, text in recipe.task.clashes())
    yield from ((("method", *key), text) for key, text in recipe.method.clashes(recipe.training.given()))


def _model_clashes(recipe: Recipe) -> Problems:
    if not recipe.model.is_new:
        return
    if not isinstance(recipe.task, GenerativeTask):
        yield ("model",), f"{recipe.task.name} starts from one checkpoint; give name_or_path alone"
    if recipe.method.saves != "model" or recipe.model.weighted_layers:
        yield ("method",), "a model without a checkpoint of its own is trained and saved whole; use name: full"


def _training_clashes(recipe: Recipe) -> Problems:
    given = recipe.training.given()
    for key in POSITIVE & given.keys():
        if not 0 < (given[key] or 0) < float("inf"):
            yield ("training", key), f"must be a number above 0; found {given[key]}"
    if (given.get("seed") or 0) < 0:
        yield ("training", "seed"), f"must be 0 or more; found {given['seed']}"
    for key in given.keys() & NOT_HERE.keys():
        if given[key]:
            yield ("training", key), NOT_HERE[key]
    if given.get("batch_size") and given.get("gradient_accumulation_steps"):
        text = "follows from batch_size, the number of processes and per_device_train_batch_size; remove it"
        yield ("training", "gradient_accumulation_steps"), text
    if given.get("train_sampling_strategy") == "batch_rebalance":
        text = 'batches must not depend on the number of processes; choose "group_by_length", "random" or "sequential"'
        yield ("training", "train_sampling_strategy"), text
    if given.get("bf16") and given.get("fp16"):
        yield ("training", "fp16"), "bf16 and fp16 exclude each other; keep one of them"
    if recipe.early_stopping and given.get("eval_strategy") == "no":
        yield ("early_stopping",), 'needs evaluations during training; set training.eval_strategy to "epoch" or "steps"'
    if recipe.data.no_validation and (recipe.early_stopping or given.get("load_best_model_at_end")):
        yield ("data", "validation_size"), "the best checkpoint is chosen on a validation part; give a size above 0"


def _seeds_clashes(recipe: Recipe) -> Problems:
    seeds = recipe.seeds
    if seeds is None:
        return
    if not seeds:
        yield ("seeds",), "names no seed; give some, e.g. [13, 42, 87], or remove it"
    if double := [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]:
        yield ("seeds",), f"{double[0]} is named twice; keep one of them"
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**32]:
        yield ("seeds",), f"must be from 0 to {2**32 - 1}; found {wrong[0]}"
    if recipe.training.given().get("seed") is not None:
        yield ("training", "seed"), "the recipe names seeds, one for each training; remove one of the two"
    if recipe.hub:
        yield ("hub",), "there is a run for each seed; remove it, and push the one you choose with hf-tasks push"


def _one_a_key(values: Any, errors: Sequence[Any]) -> Problems:
    """Pydantic's errors as problems: one for all types that a key may have, none where a key below it has one."""
    texts: dict[recipe_file.Key, list[str]] = {}
    for error in errors:
        key, text = _problem(values, error)
        texts.setdefault(key, []).append(text)
    above = {key[:end] for key in texts for end in range(len(key))}
    for key, several in texts.items():
        if key in above:
            continue
        wrong = [text.partition("; found ") for text in several]
        yield key, " or ".join(dict.fromkeys(text for text, *_ in wrong)) + "".join(wrong[0][1:])


def _problem(values: Any, error: Any) -> tuple[recipe_file.Key, str]:
    """One pydantic error as (key, what is wrong; what to do)."""
    key = _written_key(values, error)
    match error["type"]:
        case "missing":
            return key, "missing; this key has no default, add it"
        case "extra_forbidden":
            return key, f"unknown key{did_you_mean(str(key[-1]), _fields_at(values, key[:-1])) or '; remove it'}"
        case "union_tag_invalid":
            names, tag = [n.strip("' ") for n in error["ctx"]["expected_tags"].split(",")], error["ctx"]["tag"]
            return (*key, "name"), f'there is no "{tag}"{did_you_mean(tag, names)} (one of: {", ".join(names)})'
        case "union_tag_not_found":
            return (*key, "name"), "missing; this key has no default, add it"
        case "value_error":
            return key, str(error["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "dict_type":
            return key, f"must be a section, with its keys indented below it{_found(error['input'])}"
        case "tuple_type" | "list_type":
            return key, f"must be a list{_found(error['input'])}"
        case "string_type" if isinstance(error["input"], int | float):
            remedy = f', write "{json.dumps(error["input"])}" in quotes'
            return key, f"{_lower(error['msg'])}{_found(error['input'])}{remedy}"
        case _:
            return key, f"{_lower(error['msg'])}{_found(error['input'])}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _found(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"; found {'nothing' if value is None else text if len(text) <= 80 else text[:77] + '...'}"


def _written_key(values: Any, error: Any) -> recipe_file.Key:
    """The key that an error is about: its `loc` without the names of types that pydantic puts between."""
    key: list[str | int] = []
    for part in error["loc"]:
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
            key.append(part)
    return (*key, error["loc"][-1]) if error["type"] == "missing" else tuple(key)


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
        elif get_origin(kind) is Annotated:
            todo.append(get_args(kind)[0])
        elif isinstance(kind, type) and issubclass(kind, Block):
            found.append(kind)
    return found
