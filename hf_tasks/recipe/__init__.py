"""Recipe: data, task, model, method and training options. `load` reads one from a YAML file.

All errors of a file are reported at once, one per line: `file:line: key: what is wrong; what to do`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from hf_tasks import metrics
from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import Section, did_you_mean
from hf_tasks.data.named_files import missing_files
from hf_tasks.data.section import Data, Parallel
from hf_tasks.decoding import AnyDecoding
from hf_tasks.methods import AnyMethod, Full
from hf_tasks.models.section import Model
from hf_tasks.recipe import yaml_file
from hf_tasks.recipe.messages import parsed, problems_of, written_key
from hf_tasks.recipe.sections import Card, Hub, Sweep
from hf_tasks.recipe.training_section import EarlyStopping, Training
from hf_tasks.tasks import AnyTask, TextToText
from hf_tasks.tasks.base import TUNED

CURLY = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019")
Problems = Iterator[tuple[yaml_file.Key, str]]
"""(key, message) pairs; a message says what is wrong and what to do."""


class Recipe(Section):
    """The complete description of one training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The name of the run's folder: letters, digits, dots, dashes."""
    task: AnyTask
    """The task and its options."""
    data: Data
    """The files or Hub dataset of each split."""
    model: Model
    """The checkpoint that training starts from."""
    method: AnyMethod = Full(name="full")
    """Which parameters are trained."""
    decoding: AnyDecoding | None = None
    """How texts are generated; by default beam search for translation and summarization, else greedy search."""
    training: Training = Training()
    """transformers.TrainingArguments, under its own key names."""
    seeds: tuple[int, ...] | None = None
    """One training for each seed, e.g. [13, 42, 87]; results are their mean and standard deviation."""
    early_stopping: EarlyStopping | None = None
    """Stop before the last epoch when the metric no longer improves."""
    card: Card = Card()
    """Texts for the model card: language, license, intended use, limitations."""
    hub: Hub | None = None
    """The repository that the run is pushed to at the end; without this section it is not pushed."""
    sweep: Sweep | None = None
    """The keys that `hf-tasks sweep` varies; `hf-tasks train` ignores this section."""

    @property
    def seed(self) -> int:
        return self.training.given().get("seed", 42)  # type: ignore[no-any-return]

    @property
    def data_seed(self) -> int:
        """The seed of the holdout and of `data.max_examples`."""
        return self.seed if self.data.seed is None else self.data.seed

    @property
    def is_several(self) -> bool:
        """Whether it describes several runs: one for each seed, or for each fold of the data."""
        return self.seeds is not None or (self.data.folds is not None and self.data.fold is None)

    @property
    def output_dir(self) -> Path:
        """The run's directory: `training.output_dir`, or runs/NAME."""
        return Path(self.training.given().get("output_dir") or f"runs/{self.name}")


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe file and find its data files. Raises RecipeError.

    `overrides`: `dotted.key=value` strings.
    """
    return validate(yaml_file.read(Path(path), tuple(overrides)), recipe_dir=Path(path).parent)


def from_dict(values: dict[str, Any]) -> Recipe:
    """Make a recipe from nested dicts. Raises RecipeError."""
    return validate(yaml_file.Source("recipe", values))


def to_yaml(recipe: Recipe) -> str:
    """Return the recipe as YAML, with the keys that were given or resolved, without defaults."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def validate(source: yaml_file.Source, recipe_dir: Path | None = None) -> Recipe:
    """Validate the values of a source. Raises RecipeError with all errors.

    `recipe_dir`: the recipe's folder; if it is given, the data files are looked up too, as in `data.read_split`.
    """
    recipe, errors = parsed(Recipe, source.values)
    wrong = [written_key(source.values, error) for error in errors]
    rest = _without(source.values, wrong)
    problems = list(problems_of(Recipe, source.values, errors))
    if known := recipe or parsed(Recipe, rest)[0]:
        problems += [(key, text) for key, text in _clashes(known) if key not in wrong]
    if recipe_dir and known:
        problems += _unknown_metrics(known)
    if recipe_dir:
        curly = dict(_curly_quotes(source.values))
        problems = [(key, text) for key, text in problems if key not in curly] + list(curly.items())
    if recipe_dir and (data := parsed(Data, rest.get("data", {}))[0]):
        problems += missing_files(data, recipe_dir)
    if recipe_dir and known and known.card.template and not (recipe_dir / known.card.template).is_file():
        problems.append((("card", "template"), f"there is no file {known.card.template} next to the recipe; name one"))
    if problems:
        raise RecipeError(*dict.fromkeys(f"{source.where(key)}: {_dotted(key)}: {text}" for key, text in problems))
    assert recipe is not None
    return recipe


def _dotted(key: yaml_file.Key) -> str:
    return ".".join(map(str, key)) or "recipe"


def _without(values: Any, keys: Sequence[yaml_file.Key]) -> Any:
    """Return a copy of nested values without some keys."""
    if not isinstance(values, dict):
        return values
    below = {name: [key[1:] for key in keys if key[:1] == (name,)] for name in values}
    return {name: _without(value, below[name]) for name, value in values.items() if () not in below[name]}


def _clashes(recipe: Recipe) -> Problems:
    """Yield an error for each combination of keys that cannot work together."""
    yield from ((("training", *key), text) for key, text in recipe.training.clashes())
    yield from _validation_clashes(recipe)
    yield from _seeds_clashes(recipe)
    yield from _folds_clashes(recipe)
    yield from _model_clashes(recipe)
    if recipe.decoding and not recipe.task.traits.writes_text:
        yield ("decoding",), f"{recipe.task.name} generates no text; remove it"
    for key in [key for key, value in recipe.task if value == TUNED and recipe.data.no_validation]:
        yield ("task", key), "needs a validation split for tuning, and there is none; give a value, or data.validation"
    if recipe.data.mixture and not isinstance(recipe.task, TextToText):
        yield ("data", "mixture"), f"{recipe.task.name} has its own labels; only tasks from text to text can be mixed"
    if not recipe.data.path and recipe.data.train is None and not recipe.data.mixture:
        yield ("data", "train"), "missing; name the file or glob to train on"
    known = recipe.task.columns.known
    for name in ("train", "validation", "test"):
        if isinstance(recipe.data.split(name), Parallel) and not {"source", "target"} <= set(known):
            yield ("data", name), f"{recipe.task.name} has no source and target; name a file or glob"
    for column in [name for name in recipe.data.columns if name not in known]:
        text = f"{recipe.task.name} has no such column{did_you_mean(column, known)} (one of: {', '.join(known)})"
        yield ("data", "columns", column), text
    yield from ((("task", *key), text) for key, text in recipe.task.clashes())
    yield from ((("method", *key), text) for key, text in recipe.method.clashes(recipe.training.given()))


def _unknown_metrics(recipe: Recipe) -> Problems:
    """Yield an error for each unknown metric, unless the environment allows metrics of the library `evaluate`."""
    if metrics.runs_code_of_others():
        return
    for i, name in enumerate(recipe.task.metrics):
        if name not in metrics.METRICS:
            yield ("task", "metrics", i), metrics.unknown(name)
        elif metrics.kind_of(name) not in recipe.task.traits.metric_kinds:
            usable = [one for one in metrics.METRICS if metrics.kind_of(one) in recipe.task.traits.metric_kinds]
            text = f'"{name}" compares {metrics.kind_of(name)}, which {recipe.task.name} does not predict'
            yield ("task", "metrics", i), f"{text}; choose from: {', '.join(usable)}"
    best = (recipe.training.given().get("metric_for_best_model") or "score").removeprefix("eval_")
    known = {"score": None} | metrics.VALUES
    if best not in known:
        remedy = did_you_mean(best, known) or "; write score for the first of task.metrics"
        yield ("training", "metric_for_best_model"), f'there is no value "{best}"{remedy}'


def _curly_quotes(values: Any, key: yaml_file.Key = ()) -> Problems:
    """Yield an error for each value in typographic quotes, except labels and texts of the card."""
    if isinstance(values, dict) and key[:1] != ("card",):
        for name, value in values.items():
            yield from _curly_quotes(value, (*key, name))
    elif isinstance(values, list) and key != ("task", "labels"):
        for i, value in enumerate(values):
            yield from _curly_quotes(value, (*key, i))
    elif isinstance(values, str) and values[:1] in CURLY and values[-1:] in CURLY and values:
        yield key, f"{values} has curly quotes, which are part of the value; write straight quotes or none"


def _model_clashes(recipe: Recipe) -> Problems:
    pools = recipe.task.name == "text-classification" or recipe.task.model_spec.embeds
    if recipe.model.pooling and not pools:
        yield ("model", "pooling"), f"{recipe.task.name} uses the vector of every token; remove it"
    if recipe.task.model_spec.embeds and recipe.method.name in ("frozen", "gradual-unfreezing"):
        text = f"{recipe.task.name} has no head that {recipe.method.name} could train; use full or lora"
        yield ("method", "name"), text
    if not recipe.model.is_new:
        return
    if recipe.task.model_spec.tokenizer_texts is None:
        yield ("model",), f"{recipe.task.name} starts from one checkpoint; give name_or_path alone"
    if recipe.method.saves != "model" or not recipe.model.is_plain:
        yield (
            ("method",),
            "a model without its own checkpoint is trained and saved completely; use name: full",
        )


def _validation_clashes(recipe: Recipe) -> Problems:
    given = recipe.training.given()
    if recipe.early_stopping and given.get("eval_strategy") == "no":
        yield ("early_stopping",), 'needs evaluations during training; set training.eval_strategy to "epoch" or "steps"'
    if recipe.data.no_validation and (recipe.early_stopping or given.get("load_best_model_at_end")):
        yield ("data", "validation_size"), "the best checkpoint is chosen on a validation split; give a size above 0"


def _folds_clashes(recipe: Recipe) -> Problems:
    section = recipe.data
    if section.fold is not None and section.fold > (section.folds or 0):
        yield ("data", "fold"), f"{section.fold} is not a number from 1 to data.folds; lower it, or give data.folds"
    if section.fold is not None and section.test is not None:
        yield ("data", "test"), "the fold is the test split; remove one of the two"
    if section.folds and section.fold is None and recipe.seeds is not None:
        yield ("seeds",), "cannot be combined with data.folds; remove one of the two"
    if section.folds and section.fold is None and recipe.hub:
        yield ("hub",), "there is a run for each fold; remove it, and push a run that is trained on all data"


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
        yield ("training", "seed"), "the recipe also has seeds, one for each training; remove one of the two"
    if recipe.hub:
        yield ("hub",), "there is a run for each seed; remove it, and push the one you choose with hf-tasks push"
