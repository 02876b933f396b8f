"""A recipe made ready to train: data, tokenizer, model, and the trainer of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from hf_tasks import artifacts, checks, distributed, evaluation
from hf_tasks.data import hub as hub_data
from hf_tasks.errors import RecipeError
from hf_tasks.hub import push as hub
from hf_tasks.hub.files import is_local, no_base
from hf_tasks.models import origin
from hf_tasks.models.load import load_tokenizer
from hf_tasks.planning.steps import Steps
from hf_tasks.preflight import Parts, check_metrics, check_precision, prepare, report, with_decoding
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import EncodedSplit
from hf_tasks.trainer.arguments import arguments
from hf_tasks.trainer.task_trainer import TaskTrainer

SomeTrainer = TypeVar("SomeTrainer", bound=TaskTrainer)


@dataclass(frozen=True)
class Ready:
    """All that a trainer is made of, known to be good."""

    recipe: Recipe
    args: TrainingArguments
    parts: Parts
    splits: dict[str, EncodedSplit]
    tokenizer: Any
    model: Any
    memory: dict[str, Any]
    base: dict[str, Any]
    """Where the base model comes from, and its licence (see models/origin.py)."""

    @classmethod
    def of(cls, recipe: Recipe, beside: Path | None) -> Self:
        """Everything read, checked, tokenized and built; nothing is written. `beside`: the recipe file's folder.

        Raises RecipeError, DataError or RunError.
        """
        recipe, parts = prepare(_pinned(recipe), beside)
        if recipe.hub:
            _check_base(recipe)
            distributed.told_by_main(partial(hub.check, recipe.hub))
        args = arguments(recipe, validated=parts.validation is not None)
        set_seed(args.seed)  # which draws the new weights
        tokenizer = load_tokenizer(recipe.model, recipe.task, parts.train.examples)
        model = artifacts.assemble(recipe, tokenizer)
        check_precision(recipe, model)
        recipe, memory = with_decoding(recipe, model), recipe.task.train_stats(parts.train.examples)
        splits = {
            name: evaluation.encode(part.examples, recipe.task, tokenizer) for name, part in parts.named().items()
        }
        check_metrics(recipe, splits.get("validation", splits["train"]), model, tokenizer, memory)
        base = distributed.told_by_main(partial(origin.origin, recipe.model))
        return cls(recipe, args, parts, splits, tokenizer, model, memory, base)

    def report(self) -> Iterator[str]:
        """What is about to be trained, in lines."""
        return report(self.recipe, self.parts, self.splits, self.model)

    def checked(self) -> checks.Checked:
        """What is odd in the data."""
        readable = int(self.tokenizer.model_max_length)
        return checks.look(self.recipe.task, self.parts.named(), self.splits, readable=readable, seed=self.recipe.seed)

    def steps(self) -> Steps:
        """How many steps the training will take, of which sizes."""
        return Steps.of(self.recipe, self.args, self.splits["train"].features)

    def trainer(
        self, kind: type[SomeTrainer], learned: Mapping[str, EncodedSplit], callbacks: Sequence[TrainerCallback]
    ) -> SomeTrainer:
        """The trainer; `learned`: the parts as it shall read them."""
        train = self.splits["train"].features
        return kind(
            self.recipe,
            locate=lambda row: self.parts.train.where(train[row]["example"]),
            validation=learned.get("validation"),
            memory=self.memory,
            model=self.model,
            args=self.args,
            train_dataset=learned["train"].features,
            data_collator=self.recipe.task.collator(self.tokenizer, self.model),
            processing_class=self.tokenizer,
            optimizer_cls_and_kwargs=_optimizer(self.recipe, self.model, self.args),
            callbacks=list(callbacks),
        )


def _check_base(recipe: Recipe) -> None:
    """RecipeError where the run could not be pushed, because others do not have the base of what it holds."""
    base = recipe.model.name_or_path
    if artifacts.saved_as(recipe) != "model" and base and is_local(base) and not recipe.card.base_model:
        raise RecipeError(f"hub: the run could not be pushed: {no_base(base)}")


def _pinned(recipe: Recipe) -> Recipe:
    """The recipe with the commits of its base model and its dataset on the Hub."""
    model, data = distributed.told_by_main(lambda: (origin.pinned(recipe.model), hub_data.pinned(recipe.data)))
    return recipe.model_copy(update={"model": model, "data": data})


def _optimizer(recipe: Recipe, model: Any, args: TrainingArguments) -> tuple[type, dict[str, Any]] | None:
    """transformers' optimizer over the method's own groups of parameters, where it has them."""
    groups = recipe.method.groups(model, args.learning_rate, args.weight_decay)
    if groups is None:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    return kind, options | {"params": groups}
