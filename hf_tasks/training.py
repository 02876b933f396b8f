"""The straight line: recipe -> data -> task -> model -> method -> training -> run -> results."""

import shutil
import time
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import EvalLoopOutput

from hf_tasks import artifacts, evaluation, hardware
from hf_tasks.arguments import arguments, autocasts
from hf_tasks.errors import RecipeError, RunError
from hf_tasks.models.fast_cpu import fast_dropout, keep_large_blocks
from hf_tasks.models.load import load_tokenizer, quiet
from hf_tasks.preflight import Parts, check_metrics, prepare, report
from hf_tasks.progress import Progress, say
from hf_tasks.recipe import Recipe
from hf_tasks.run import RESULTS, Run
from hf_tasks.tasks import Split
from hf_tasks.tasks.collate import PaddingCollator


def train(recipe: Recipe, *, beside: Path | None = None, overwrite: bool = False) -> Run:
    """Train what the recipe describes and save the run. `beside`: the recipe file's folder, for its relative paths.

    Raises RecipeError, DataError or RunError; nothing is written before recipe, data and checkpoint are known good.
    """
    started = time.perf_counter()
    check_free(recipe.output_dir, overwrite)
    hardware.use_fast_matmul()
    keep_large_blocks()
    recipe, parts = prepare(recipe, beside)
    args = arguments(recipe, validated=parts.validation is not None)
    set_seed(args.seed)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    model = artifacts.assemble(recipe, tokenizer)
    splits = {name: evaluation.encode(part.examples, recipe.task, tokenizer) for name, part in parts.named().items()}
    for line in report(recipe, parts, splits, model):
        say(line)

    memory = recipe.task.memory(parts.train.examples)
    check_metrics(recipe, splits.get("validation", splits["train"]), model, tokenizer, memory)

    trainer = TaskTrainer(
        recipe,
        validation=splits.get("validation"),
        memory=memory,
        model=model,
        args=args,
        train_dataset=splits["train"].features,
        data_collator=PaddingCollator(tokenizer),
        processing_class=tokenizer,
        optimizer_cls_and_kwargs=_optimizer(recipe, model, args),
        callbacks=[Progress(), *recipe.method.callbacks(), *_early_stopping(recipe)],
    )
    claim(recipe, beside)
    with quiet():
        trainer.train()
    recipe = trainer.tuned()

    run = Run.create(recipe, trainer.model, tokenizer, trainer.memory, trainer.state.log_history)
    run.verify(trainer.model, splits["train"])
    facts = {"data": _data_facts(parts, splits), "training": _training_facts(trainer, started)}
    run.measure({name: splits[name] for name in ("validation", "test") if name in splits}, facts)
    shutil.rmtree(args.output_dir, ignore_errors=True)
    return run


class TaskTrainer(Trainer):  # type: ignore[misc]
    """transformers' Trainer with the task's loss, and with evaluation through `evaluation.predict`."""

    def __init__(self, recipe: Recipe, *, validation: Split | None, memory: dict[str, Any], **options: Any) -> None:
        self.recipe, self.task, self.validation, self.memory = recipe, recipe.task, validation, memory
        self.in_bfloat16 = autocasts(recipe)
        self.tokens, self.places = 0, 0
        features = validation and validation.features
        try:
            super().__init__(**options, eval_dataset=features, compute_loss_func=self.task.loss)
        except (RuntimeError, ImportError) as e:
            raise RecipeError(f"training: {str(e).splitlines()[0]}") from e
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        if "attention_mask" in inputs:
            self.tokens += int(inputs["attention_mask"].sum())
            self.places += inputs["attention_mask"].numel()
        with fast_dropout(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            return super().compute_loss(model, inputs, *args, **options)

    def evaluation_loop(
        self, dataloader: Any, description: str, *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> EvalLoopOutput:
        assert self.validation is not None
        predicted = evaluation.predict(
            self.model, self.task.for_scores(), self.validation, self.processing_class,
            batch_size=self.args.eval_batch_size,
        )  # fmt: skip
        values = evaluation.numbers(evaluation.scores(self.task, predicted, self.validation.examples, self.memory))
        values["score"] = next(value for name, value in values.items() if name not in ("n", "loss"))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in values.items()}
        return EvalLoopOutput(predicted.predictions, None, metrics, len(self.validation.examples))

    def tuned(self) -> Recipe:
        """The recipe with the task's decision thresholds tuned on the validation part."""
        if self.validation is None or not self.task.tunable:
            return self.recipe
        predicted = evaluation.predict(self.model, self.task, self.validation, self.processing_class)
        task = self.task.tune(predicted.predictions, self.task.references(self.validation.examples))
        return self.recipe.model_copy(update={"task": task})


def check_free(path: Path, overwrite: bool) -> None:
    """RunError where something stands already: a run needs `overwrite`, anything else is never touched."""
    if not path.exists() or (path.is_dir() and not any(file.is_file() for file in path.rglob("*"))):
        return
    if not path.is_dir() or not Run.is_ours(path):
        raise RunError(f"{path}: exists and is not a run; choose another --output-dir")
    if not overwrite:
        state = "a finished run" if (path / RESULTS).exists() else "a run that was not finished"
        raise RunError(f"{path}: {state} is here; look at it, choose another --output-dir, or add --overwrite")


def claim(recipe: Recipe, beside: Path | None) -> None:
    """Make room for the run: what an earlier one left in its directory is removed."""
    path = recipe.output_dir
    try:
        if path.exists():
            shutil.rmtree(path)
        path.mkdir(parents=True)
    except OSError as e:
        raise RunError(f"{path}: cannot be written: {e.strerror}; choose another --output-dir") from None
    Run.begin(recipe, beside)


def _optimizer(recipe: Recipe, model: Any, args: TrainingArguments) -> tuple[type, dict[str, Any]] | None:
    """transformers' optimizer over the method's own groups of parameters, where it has them."""
    groups = recipe.method.groups(model, args.learning_rate, args.weight_decay)
    if groups is None:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    return kind, options | {"params": groups}


def _early_stopping(recipe: Recipe) -> list[EarlyStoppingCallback]:
    return [EarlyStoppingCallback(**recipe.early_stopping.model_dump())] if recipe.early_stopping else []


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
    model = trainer.model
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "train_seconds": summary["train_runtime"],
        "samples_per_second": summary["train_samples_per_second"],
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "tokens_per_second": round(trainer.tokens / summary["train_runtime"], 1),
        "padding": round(1 - trainer.tokens / max(trainer.places, 1), 4),
        "best_step": trainer.state.best_global_step,
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "precision": "bfloat16" if trainer.in_bfloat16 else "float32",
        "world_size": trainer.args.world_size,
    }
