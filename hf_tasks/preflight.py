"""What is known before training: the parts of the data, whether recipe and model go together, what will be trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks import artifacts, card, data, evaluation, metrics
from hf_tasks.block import did_you_mean
from hf_tasks.data import Part
from hf_tasks.decoding import Beam, Greedy
from hf_tasks.errors import DataError, RecipeError
from hf_tasks.models.load import longest_input
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import EncodedSplit
from hf_tasks.trainer.arguments import autocasts

if TYPE_CHECKING:
    from torch import nn

QUICK = Greedy(name="greedy", max_new_tokens=8)
"""Enough of a text to try metrics on."""
OVERFLOWING = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
"""Models whose training in fp16 ends in infinities (https://github.com/huggingface/transformers/pull/9487)."""


@dataclass(frozen=True)
class Parts:
    """The data of a recipe; validation and test are None where it has none."""

    train: Part
    validation: Part | None
    test: Part | None

    def named(self) -> dict[str, Part]:
        return {name: part for name, part in vars(self).items() if part is not None}


def prepare(recipe: Recipe, beside: Path | None) -> tuple[Recipe, Parts]:
    """Read and check every part of the data; the recipe comes back resolved (labels, metrics)."""
    section = recipe.data
    train, validation, test = _read(recipe, beside)
    if train is None:
        raise RecipeError("data.train: missing; name the file, glob or Hub split to train on")
    if validation is None and section.validation_size:
        try:
            train, validation = data.hold_out(train, recipe.task, section.validation_size, recipe.data_seed)
        except DataError as e:
            raise DataError(*train.problems.shown, *e.problems) from None
    flags = section.columns.get("labels")
    try:
        task = recipe.task.fit(train.examples, flags if isinstance(flags, tuple) else ())
    except ValueError as e:
        raise DataError(*train.problems.shown, f"{train.where(0).rpartition(':')[0]}: {e}") from None
    for name in task.metrics:
        metrics.find(name)  # before the model is loaded
    named = {"train": train, "validation": validation, "test": test}
    given = {name: part for name, part in named.items() if part is not None}
    checked = dict(zip(given, data.check_parts(list(given.values()), task, section.bad_rows), strict=True))
    recipe = recipe.model_copy(update={"task": task})
    if recipe.card.template:
        card.render(recipe, {}, folder=beside)  # a template that cannot be used is known now, not after training
    return recipe, Parts(checked["train"], checked.get("validation"), checked.get("test"))


def _read(recipe: Recipe, beside: Path | None) -> tuple[Part | None, Part | None, Part | None]:
    """Train, validation and test. Raises DataError with the problems of all three."""
    found: dict[str, Part | None] = {}
    broken: list[str] = []
    for name in ("train", "validation", "test"):
        try:
            found[name] = data.read_part(
                recipe.data, name, recipe.task, seed=recipe.data_seed, beside=beside, settle=False
            )
        except DataError as e:
            broken += e.problems
    if broken:
        raise DataError(*(text for part in found.values() if part for text in part.problems.shown), *broken)
    return found["train"], found["validation"], found["test"]


def check_precision(recipe: Recipe, model: Any) -> None:
    """RecipeError for half precision where the model's activations do not fit in it."""
    if recipe.training.given().get("fp16") and model.config.model_type in OVERFLOWING:
        raise RecipeError(
            f"training.fp16: {model.config.model_type} was pretrained in bfloat16 and its activations exceed 65,504, "
            "the largest number of fp16; use bf16: true"
        )


def with_decoding(recipe: Recipe, model: Any) -> Recipe:
    """The recipe with its decoding filled in, where the task has one: the strategy, and the longest output. RecipeError
    where that is longer than what the model can write."""
    traits = recipe.task.traits
    if traits.max_target_length is None:
        return recipe
    decoding = recipe.decoding or (Beam(name="beam") if traits.beams else Greedy(name="greedy"))
    try:
        longest = longest_input(model) - recipe.method.extra_tokens
        if not model.config.is_encoder_decoder:  # it reads the prompt and what it writes as one text
            longest -= min(recipe.task.max_length, longest - traits.max_target_length)
        limited = decoding.limited(traits.max_target_length, longest)
    except ValueError as e:
        raise RecipeError(f"decoding.{e}") from None
    return recipe.model_copy(update={"decoding": limited})


def check_metrics(recipe: Recipe, split: EncodedSplit, model: Any, tokenizer: Any, memory: dict[str, Any]) -> None:
    """Score a few predictions of the untrained model. RecipeError for a metric that cannot score this task's
    predictions, and where the one that shall choose the checkpoint is not measured."""
    examples = split.examples.select(range(min(8 if recipe.decoding else 64, len(split.examples))))
    few = evaluation.encode(examples, recipe.task, tokenizer)
    predicted = evaluation.predict(model, recipe.task, few, tokenizer, decoding=QUICK)
    known: set[str] = {"score"}
    for name in recipe.task.metrics:
        one = recipe.model_copy(update={"task": recipe.task.model_copy(update={"metrics": (name,)})}).task
        try:
            numbers = evaluation.numbers(evaluation.scores(one, predicted, examples, memory)).keys()
        except (ValueError, TypeError, KeyError, AttributeError, ImportError) as e:
            reason = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise RecipeError(
                f'task.metrics: "{name}" cannot score the predictions of this task ({reason}); remove it'
            ) from e
        if name == recipe.task.metrics[0] and numbers <= {"n", "loss"}:
            raise RecipeError(f'task.metrics: "{name}" is a table and cannot choose the checkpoint; put another first')
        known |= numbers
    best = (recipe.training.given().get("metric_for_best_model") or "score").removeprefix("eval_")
    if best not in known:
        raise RecipeError(
            f'training.metric_for_best_model: "{best}" is not measured{did_you_mean(best, known)} '
            f"(one of: {', '.join(sorted(known))}); add its metric to task.metrics"
        )


def report(recipe: Recipe, parts: Parts, splits: dict[str, EncodedSplit], model: "nn.Module") -> Iterator[str]:
    """What is about to be trained, in lines for people."""
    yield f"{recipe.name}: {recipe.task.name}, {recipe.model.title}, {recipe.method.name}"
    for name, part in parts.named().items():
        features = splits[name].features
        notes = [f"{part.dropped} bad rows left out"] if part.dropped else []
        if len(features) > len(part.examples):
            notes.append(f"{len(features)} windows")
        yield f"  {name:<10} {len(part.examples):>7} examples{''.join(f'; {note}' for note in notes)}"
        if (
            name != "train"
            and (shared := set(part.files.values()) & set(parts.train.files.values()))
            and recipe.data.given().get(name)
        ):
            yield f"  {'':<10} warning: {len(shared)} of its files also belong to train"
        for line in recipe.task.issues(part.examples, features).notes:
            yield f"  {'':<10} {line}"
    if recipe.decoding:
        yield f"  decoding   {recipe.decoding.name}, at most {recipe.decoding.max_new_tokens} tokens"
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    precision = "bfloat16" if autocasts(recipe) else "float32"
    share = f" ({trained / total:.2%})" if trained < total else ""
    yield f"  trained    {trained:,} of {total:,} parameters{share}, in {precision}"
    what = "the whole model" if artifacts.saved_as(recipe) == "model" else "what was trained; it needs the checkpoint"
    yield f"  saved      {artifacts.saved_bytes(recipe, model) / 1e6:,.1f} MB: {what}"
