"""Build and check everything that the training of a recipe needs: data, tokenizer, model, trainer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from hf_tasks.core import distributed
from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import did_you_mean
from hf_tasks.data import checks
from hf_tasks.data.readers import arrow as hub_data
from hf_tasks.decoding import Beam, Greedy
from hf_tasks.models import masked_lm, origin
from hf_tasks.models.load import load_tokenizer, longest_input
from hf_tasks.publish import card
from hf_tasks.publish.hub import push as hub
from hf_tasks.publish.hub.files import is_local, no_base
from hf_tasks.recipe import Recipe
from hf_tasks.recipe.resolve import Resolved, Splits, resolve
from hf_tasks.runs import evaluation, model_files
from hf_tasks.tasks import EncodedSplit
from hf_tasks.tasks.text2text.task import MIXTURE
from hf_tasks.training.arguments import arguments, autocasts
from hf_tasks.training.estimate.steps import Steps
from hf_tasks.training.mixture import Mixture
from hf_tasks.training.trainer import TaskTrainer

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

QUICK = Greedy(name="greedy", max_new_tokens=8)
"""Decoding for testing metrics."""
OVERFLOWING = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
"""Model types that overflow in fp16 (https://github.com/huggingface/transformers/pull/9487)."""


def check_precision(recipe: Recipe, model: Any) -> None:
    """Raise RecipeError for fp16 with a model whose activations overflow in it."""
    if recipe.training.given().get("fp16") and model.config.model_type in OVERFLOWING:
        raise RecipeError(
            f"training.fp16: {model.config.model_type} was pretrained in bfloat16 and its activations exceed 65,504, "
            "the largest number of fp16; use bf16: true"
        )


def with_decoding(recipe: Recipe, model: Any) -> Recipe:
    """Return the recipe with the strategy and length limit of decoding filled in, for tasks that generate text.

    Raises RecipeError if the length is more than the model can generate.
    """
    traits = recipe.task.traits
    if traits.max_target_length is None:
        return recipe
    decoding = recipe.decoding or (Beam(name="beam") if traits.beams else Greedy(name="greedy"))
    try:
        longest = longest_input(model) - recipe.method.extra_tokens
        if not model.config.is_encoder_decoder:  # prompt and generated text share the positions
            longest -= min(recipe.task.max_length, longest - traits.max_target_length)
        limited = decoding.limited(traits.max_target_length, longest)
    except ValueError as e:
        raise RecipeError(f"decoding.{e}") from None
    return recipe.model_copy(update={"decoding": limited})


def check_metrics(
    recipe: Recipe, encoded: EncodedSplit, model: Any, tokenizer: Any, train_stats: dict[str, Any]
) -> None:
    """Test the metrics on a few predictions of the untrained model.

    Raises RecipeError for a metric that cannot score this task's predictions, and if the metric that selects the
    checkpoint is not computed.
    """
    examples = encoded.examples.select(range(min(8 if recipe.decoding else 64, len(encoded.examples))))
    few = evaluation.encode(examples, recipe.task, tokenizer)
    predicted = evaluation.predict(model, recipe.task, few, tokenizer, decoding=QUICK)
    known: set[str] = {"score"}
    for name in recipe.task.metrics:
        one = recipe.model_copy(update={"task": recipe.task.model_copy(update={"metrics": (name,)})}).task
        try:
            numbers = evaluation.numbers(evaluation.scores(one, predicted, examples, train_stats)).keys()
        except (ValueError, TypeError, KeyError, AttributeError, ImportError) as e:
            reason = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise RecipeError(
                f'task.metrics: "{name}" cannot score the predictions of this task ({reason}); remove it'
            ) from e
        if name == recipe.task.metrics[0] and numbers <= {"n", "loss"}:
            raise RecipeError(f'task.metrics: "{name}" is a table and cannot select the checkpoint; put another first')
        known |= numbers
    best = (recipe.training.given().get("metric_for_best_model") or "score").removeprefix("eval_")
    if best not in known:
        raise RecipeError(
            f'training.metric_for_best_model: "{best}" is not computed{did_you_mean(best, known)} '
            f"(one of: {', '.join(sorted(known))}); add its metric to task.metrics"
        )


def report(
    recipe: Recipe, splits: Splits, encoded_splits: dict[str, EncodedSplit], model: "nn.Module"
) -> Iterator[str]:
    """Yield lines for the terminal that describe the data, the model and the method."""
    yield f"{recipe.name}: {recipe.task.name}, {recipe.model.title}, {recipe.method.name}"
    for name, split in splits.named().items():
        encoded, sampled = encoded_splits[name], len(encoded_splits[name].examples) < len(split.examples)
        notes = [f"{split.dropped} invalid rows dropped"] if split.dropped else []
        if len(encoded.features) > len(encoded.examples):
            windows = len(encoded.features) / len(encoded.examples) * len(split.examples)
            notes.append(f"{'about ' if sampled else ''}{windows:.0f} windows")
        yield f"  {name:<10} {len(split.examples):>7,} examples{''.join(f'; {note}' for note in notes)}"
        if (
            name != "train"
            and (shared := set(split.files.values()) & set(splits.train.files.values()))
            and recipe.data.given().get(name)
        ):
            yield f"  {'':<10} warning: {len(shared)} of its files also belong to train"
        for line in recipe.task.issues(split.examples, None if sampled else encoded.features).notes:
            yield f"  {'':<10} {line}"
    if recipe.decoding:
        yield f"  decoding   {recipe.decoding.name}, at most {recipe.decoding.max_new_tokens} tokens"
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    precision = "bfloat16" if autocasts(recipe) else "float32"
    share = f" ({trained / total:.2%})" if trained < total else ""
    yield f"  trained    {trained:,} of {total:,} parameters{share}, in {precision}"
    if new := masked_lm.new_head(model):
        yield (
            f"  warning    the checkpoint has no masked language model head: {len(new)} weights of the output layer "
            "are new and learned from these texts alone"
        )
    what = "the complete model" if model_files.saved_as(recipe) == "model" else "the trained parameters, without base"
    yield f"  saved      {model_files.saved_bytes(recipe, model) / 1e6:,.1f} MB: {what}"


SomeTrainer = TypeVar("SomeTrainer", bound=TaskTrainer)


@dataclass(frozen=True)
class TrainingSetup:
    """Everything that a trainer needs, built and checked."""

    recipe: Recipe
    args: TrainingArguments
    splits: Splits
    encoded_splits: dict[str, EncodedSplit]
    """The features of all examples of each split; those of a sample of a large split if `of` was given `most`."""
    tokenizer: Any
    model: Any
    train_stats: dict[str, Any]
    base: dict[str, Any]
    """Origin and license of the base model (see models/origin.py)."""

    @classmethod
    def of(
        cls, recipe: Recipe, recipe_dir: Path | None, resolved: Resolved | None = None, *, most: int | None = None
    ) -> Self:
        """Read and encode the data and build the model; nothing is written. `recipe_dir`: the recipe file's folder.

        `most`: larger splits are not encoded whole, but a sample of so many examples. Raises RecipeError, DataError or
        RunError.
        """
        recipe, splits = resolved or resolve(_with_pinned_data(recipe), recipe_dir)
        recipe = _with_pinned_model(recipe)
        if recipe.card.template:
            card.render(recipe, {}, folder=recipe_dir)  # raises RecipeError for an invalid template
        if recipe.hub:
            _check_base(recipe)
            distributed.broadcast_from_main(partial(hub.check, recipe.hub))
        args = arguments(recipe, validated=splits.validation is not None)
        set_seed(args.seed)  # for new weights
        tokenizer = load_tokenizer(recipe.model, recipe.task, splits.train.examples)
        model = model_files.build_model(recipe, tokenizer)
        check_precision(recipe, model)
        recipe, train_stats = with_decoding(recipe, model), recipe.task.train_stats(splits.train.examples)
        encoded_splits = {
            name: evaluation.encode(_sample(split.examples, most, recipe.seed), recipe.task, tokenizer)
            for name, split in splits.named().items()
        }
        check_metrics(recipe, encoded_splits.get("validation", encoded_splits["train"]), model, tokenizer, train_stats)
        base = distributed.broadcast_from_main(partial(origin.origin, recipe.model))
        return cls(recipe, args, splits, encoded_splits, tokenizer, model, train_stats, base)

    def report(self) -> Iterator[str]:
        """Yield lines for the terminal that describe the setup."""
        return report(self.recipe, self.splits, self.encoded_splits, self.model)

    def checked(self) -> checks.CheckReport:
        """Run the data checks."""
        readable = int(self.tokenizer.model_max_length)
        return checks.run_checks(
            self.recipe.task, self.splits.named(), self.encoded_splits, readable=readable, seed=self.recipe.seed
        )

    def steps(self) -> Steps:
        """Return the number and sizes of the training steps, of a sample as if it was repeated."""
        features = self.encoded_splits["train"].features
        lengths = np.array(features["length"][:])
        rows = np.resize(np.arange(len(lengths)), round(len(lengths) * self.scale("train")))
        return Steps.of(self.recipe, self.args, lengths[rows], self.mixture(rows))

    def mixture(self, rows: np.ndarray) -> Mixture | None:
        """Return which of some features an epoch has; None if the recipe mixes no datasets."""
        features, data = self.encoded_splits["train"].features, self.recipe.data
        if not data.mixture:
            return None
        names = np.array(features[MIXTURE][:])[rows]
        return Mixture.of(names, data.mixing, self.args.data_seed or self.args.seed)

    def scale(self, name: str) -> float:
        """Return the number of examples of a split for each one that is encoded: 1, or more for a sample."""
        return len(self.splits.named()[name]) / len(self.encoded_splits[name].examples)

    def trainer(
        self, kind: type[SomeTrainer], learned: Mapping[str, EncodedSplit], callbacks: Sequence[TrainerCallback]
    ) -> SomeTrainer:
        """Make the trainer; `learned`: the encoded splits that it reads."""
        train, of_examples = self.encoded_splits["train"].features, self.recipe.task.traits.batch_groups
        groups = of_examples and of_examples(self.encoded_splits["train"].examples)[np.asarray(train["example"][:])]
        return kind(
            self.recipe,
            row_location=lambda row: self.splits.train.where(train[row]["example"]),
            row_groups=groups,
            sort_batches=self.recipe.task.traits.loss_of_batches,
            mixture=self.mixture(np.arange(len(train))),
            validation=learned.get("validation"),
            train_stats=self.train_stats,
            model=self.model,
            args=self.args,
            train_dataset=learned["train"].features,
            data_collator=self.recipe.task.collator(self.tokenizer, self.model),
            processing_class=self.tokenizer,
            optimizer_cls_and_kwargs=_optimizer(self.recipe, self.model, self.args),
            callbacks=list(callbacks),
        )


def _sample(examples: "Dataset", most: int | None, seed: int) -> "Dataset":
    """Return the examples, or a random sample of `most` of them in their order."""
    if most is None or len(examples) <= most:
        return examples
    return examples.select(np.sort(np.random.default_rng(seed).choice(len(examples), most, replace=False)))


def _check_base(recipe: Recipe) -> None:
    """Raise RecipeError if the run cannot be pushed because its base model is only on this machine."""
    base = recipe.model.name_or_path
    if model_files.saved_as(recipe) != "model" and base and is_local(base) and not recipe.card.base_model:
        raise RecipeError(f"hub: the run cannot be pushed: {no_base(base)}")


def _with_pinned_data(recipe: Recipe) -> Recipe:
    """Return the recipe with the current commit of its Hub dataset."""
    pinned = distributed.broadcast_from_main(lambda: hub_data.pinned(recipe.data))
    return recipe.model_copy(update={"data": pinned})


def _with_pinned_model(recipe: Recipe) -> Recipe:
    """Return the recipe with the current commit of its base model on the Hub."""
    pinned = distributed.broadcast_from_main(lambda: origin.pinned(recipe.model))
    return recipe.model_copy(update={"model": pinned})


def _optimizer(recipe: Recipe, model: Any, args: TrainingArguments) -> tuple[type, dict[str, Any]] | None:
    """Return transformers' optimizer class and options with the method's parameter groups, None without groups."""
    groups = recipe.method.groups(model, args.learning_rate, args.weight_decay)
    if groups is None:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    return kind, options | {"params": groups}
