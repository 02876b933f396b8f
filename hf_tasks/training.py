"""The straight line: recipe -> data -> task -> model -> method -> training -> run -> results."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_utils import EvalLoopOutput

from hf_tasks import artifacts, distributed, evaluation, hardware
from hf_tasks.errors import RecipeError, RunError
from hf_tasks.frozen import frozen_features
from hf_tasks.hub import push as hub
from hf_tasks.models import weighted_layers
from hf_tasks.models.fast_cpu import fast_dropout, keep_large_blocks
from hf_tasks.models.load import load_tokenizer
from hf_tasks.planning.steps import Steps
from hf_tasks.preflight import Parts, check_metrics, check_precision, checked, prepare, report, with_decoding
from hf_tasks.pretrained import quiet
from hf_tasks.recipe import Recipe
from hf_tasks.run import Run
from hf_tasks.tasks import DiscriminativeTask, Split
from hf_tasks.trainer import resume, trackers
from hf_tasks.trainer.arguments import arguments, autocasts, batch_size
from hf_tasks.trainer.progress import Progress, say
from hf_tasks.trainer.safe_trainer import SafeTrainer


def train(
    recipe: Recipe,
    *,
    beside: Path | None = None,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> Run:
    """Train what the recipe describes and save the run. `beside`: the recipe file's folder, for its relative paths.
    `callbacks`: who else watches the training.

    Raises RecipeError, DataError or RunError; nothing is written before recipe, data and checkpoint are known good.
    """
    started = time.perf_counter()
    if recipe.seeds is not None:
        raise RecipeError("seeds: this trains one run; remove it, or name one as training.seed")
    if not overwrite and Run.is_finished(recipe.output_dir):
        return finished(recipe)
    check_free(recipe.output_dir)
    distributed.start(bool(recipe.training.given().get("use_cpu")))
    origin = resume.Origin.of(recipe, {}, distributed.launched())
    hardware.use_fast_matmul()
    keep_large_blocks()
    recipe, parts = prepare(recipe, beside)
    if recipe.hub:
        distributed.told_by_main(partial(hub.check, recipe.hub))
    origin = replace(origin, data={name: part.files for name, part in parts.named().items()})
    args = arguments(recipe, validated=parts.validation is not None)
    set_seed(args.seed)
    tokenizer = load_tokenizer(recipe.model, recipe.task, recipe.task.texts(parts.train.examples))
    model = artifacts.assemble(recipe, tokenizer)
    check_precision(recipe, model)
    recipe = with_decoding(recipe, model)
    splits = {name: evaluation.encode(part.examples, recipe.task, tokenizer) for name, part in parts.named().items()}
    for line in report(recipe, parts, splits, model):
        say(line)
    if distributed.is_main():
        for line in checked(recipe, parts, splits, tokenizer).brief():
            say(line)
    if distributed.launched() > 1:
        say(f"  processes  {distributed.launched()}, a step learns from {batch_size(recipe)} rows of all of them")

    memory = recipe.task.memory(parts.train.examples)
    check_metrics(recipe, splits.get("validation", splits["train"]), model, tokenizer, memory)
    ready = Ready(recipe, args, parts, splits, tokenizer, model, memory)
    say(Steps.of(recipe, args, splits["train"].features).line(model))
    learned = frozen_features.remembered(recipe, model, splits, tokenizer, args.device)

    watching = [Progress(), *recipe.method.callbacks(), *_early_stopping(recipe), *callbacks]
    with ExitStack() as stack:
        followed = stack.enter_context(trackers.callbacks(recipe))
        trainer = ready.trainer(TaskTrainer, learned, [*watching, *followed])
        begin = partial(Run.begin, recipe, beside)
        checkpoint = stack.enter_context(resume.claimed(recipe.output_dir, origin, begin, overwrite))
        with quiet():
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        recipe = trainer.tuned()

        run = Run.create(recipe, trainer.model, tokenizer, trainer.memory, trainer.state.log_history)
        run.verify(trainer.model, splits["train"])
        mix = weighted_layers.learned(trainer.model)
        for line in weighted_layers.bars(mix):
            say(line)
        facts = {"data": _data_facts(parts, splits), "training": _training_facts(trainer, started), **mix}
        run.measure({name: splits[name] for name in ("validation", "test") if name in splits}, facts)
        run = run.publish()
    if recipe.hub and distributed.is_main():
        say(f"pushed to {hub.push_recipe(run.path, recipe.hub).url}")
    return run


@dataclass(frozen=True)
class Ready:
    """All that a trainer is made of, known to be good."""

    recipe: Recipe
    args: TrainingArguments
    parts: Parts
    splits: dict[str, Split]
    tokenizer: Any
    model: Any
    memory: dict[str, Any]

    def trainer(
        self, kind: type["SomeTrainer"], learned: Mapping[str, Split], callbacks: Sequence[TrainerCallback]
    ) -> "SomeTrainer":
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


class TaskTrainer(SafeTrainer):
    """The trainer with the task's loss, and with evaluation through `evaluation.predict`."""

    def __init__(self, recipe: Recipe, *, validation: Split | None, memory: dict[str, Any], **options: Any) -> None:
        self.recipe, self.task, self.validation, self.memory = recipe, recipe.task, validation, memory
        self.in_bfloat16 = autocasts(recipe)
        features = validation and validation.features
        try:
            super().__init__(
                batch_size=batch_size(recipe), eval_dataset=features, compute_loss_func=self.task.loss, **options
            )
        except OSError as e:
            raise resume.unwritable(recipe.output_dir, e) from None
        except (RuntimeError, ImportError) as e:
            raise RecipeError(f"training: {str(e).splitlines()[0]}") from e
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        if "attention_mask" in inputs:
            self.counters["tokens"] += int(inputs["attention_mask"].sum())
            self.counters["places"] += inputs["attention_mask"].numel()
        with fast_dropout(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            return super().compute_loss(model, inputs, *args, **options)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: transformers would walk through all parameters at every step."""
        return 0

    def evaluation_loop(
        self, dataloader: Any, description: str, *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> EvalLoopOutput:
        assert self.validation is not None
        predicted = evaluation.predict(
            self.model, self.task.for_scores(), self.validation, self.processing_class,
            decoding=self.recipe.decoding, batch_size=self.args.eval_batch_size, description="Evaluating",
        )  # fmt: skip
        values = evaluation.numbers(evaluation.scores(self.task, predicted, self.validation.examples, self.memory))
        values["score"] = next(value for name, value in values.items() if name not in ("n", "loss"))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in values.items()}
        return EvalLoopOutput(predicted.predictions, None, metrics, len(self.validation.examples))

    def tuned(self) -> Recipe:
        """The recipe with the task's decision thresholds and temperature tuned on the validation part."""
        if self.validation is None or not isinstance(self.task, DiscriminativeTask) or not self.task.tunable:
            return self.recipe
        outputs, _ = evaluation.outputs(self.model, self.task, self.validation, self.processing_class)
        task = self.task.tune(outputs, self.validation)
        for name, value in task:
            if value != dict(self.task)[name]:
                say(f"  tuned      {name}: {_shortly(value)}")
        return self.recipe.model_copy(update={"task": task})


SomeTrainer = TypeVar("SomeTrainer", bound=TaskTrainer)


def check_free(path: Path) -> None:
    """RunError where something stands that is not a run: it is never touched."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: exists and is not a run; choose another --output-dir")
    if resume.holds_files(path) and not Run.is_ours(path):
        raise RunError(f"{path}: exists and is not a run; choose another --output-dir")


def finished(recipe: Recipe) -> Run:
    """The run that is in the recipe's directory already. RunError where it is the run of another recipe."""
    path, now = recipe.output_dir, resume.flat_recipe(recipe)
    before = resume.begun_with(path)
    for change in resume.recipe_changes(before.recipe, now) if before else ():
        remedy = "choose another --output-dir, or add --overwrite"
        raise RunError(f"{path}: a finished run is here, whose {change}; {remedy}")
    say(f"{path}: this run is finished, there is nothing to do; --overwrite trains it again")
    return Run.load(path)


def _optimizer(recipe: Recipe, model: Any, args: TrainingArguments) -> tuple[type, dict[str, Any]] | None:
    """transformers' optimizer over the method's own groups of parameters, where it has them."""
    groups = recipe.method.groups(model, args.learning_rate, args.weight_decay)
    if groups is None:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    return kind, options | {"params": groups}


def _early_stopping(recipe: Recipe) -> list[EarlyStoppingCallback]:
    return [EarlyStoppingCallback(**recipe.early_stopping.model_dump())] if recipe.early_stopping else []


def _shortly(value: float | dict[str, float]) -> str:
    match value:
        case dict():
            return f"{min(value.values()):.4f} to {max(value.values()):.4f}, one for each of {len(value)} labels"
        case _:
            return f"{value:.4f}"


def _data_facts(parts: Parts, splits: dict[str, Split]) -> dict[str, Any]:
    """What results.json records of each part."""
    return {
        name: {
            "examples": len(part.examples),
            "features": len(splits[name].features),
            "dropped": part.dropped,
            "tokens_cut": sum(splits[name].features["tokens_cut"][:]),
            "files": part.files,
        }
        for name, part in parts.named().items()
    }


def _training_facts(trainer: TaskTrainer, started: float) -> dict[str, Any]:
    """Time, speed and steps of the training, for results.json; `seconds` include reading and loading."""
    summary = next(log for log in reversed(trainer.state.log_history) if "train_runtime" in log)
    model, done = trainer.model, distributed.gather(trainer.counters)
    tokens, places = sum(one["tokens"] for one in done), sum(one["places"] for one in done)
    return {
        "seconds": round(time.perf_counter() - started + done[0]["seconds"] - summary["train_runtime"], 1),
        "train_seconds": round(done[0]["seconds"], 4),
        "samples_per_second": summary["train_samples_per_second"],
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "tokens_per_second": round(tokens / max(done[0]["seconds"], 1e-9), 1),
        "padding": round(1 - tokens / max(places, 1), 4),
        "best_step": trainer.state.best_global_step,
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "saved_bytes": artifacts.saved_bytes(trainer.recipe, model),
        "precision": "bfloat16" if trainer.in_bfloat16 else "float32",
        "world_size": trainer.args.world_size,
    }
