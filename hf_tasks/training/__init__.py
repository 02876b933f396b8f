"""Training from a recipe to a run: recipe -> data -> task -> model -> method -> training -> run -> results."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback

from hf_tasks.core import distributed, hardware
from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.cpu_kernels import keep_large_blocks
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.signals import stop_on_signal
from hf_tasks.core.terminal import say, short
from hf_tasks.models import weighted_layers
from hf_tasks.publish import card
from hf_tasks.publish.hub import push as hub
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.recipe.resolve import Resolved
from hf_tasks.runs import model_files
from hf_tasks.runs.run import RECIPE, Run
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.runs.status import check_entry_types, pushed_to, read_origin, write_status
from hf_tasks.training import feature_cache, inputs, resume, trackers
from hf_tasks.training.arguments import batch_size
from hf_tasks.training.callbacks import Progress
from hf_tasks.training.setup import TrainingSetup
from hf_tasks.training.trainer import TaskTrainer


def train(
    recipe: Recipe,
    *,
    recipe_dir: Path | None = None,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    resolved: Resolved | None = None,
) -> Run:
    """Train a recipe and save the run. Raises RecipeError, DataError or RunError.

    Nothing is written before recipe, data and checkpoint have been checked. `recipe_dir`: the recipe file's folder, for
    relative paths. `callbacks`: additional callbacks of the Trainer.
    """
    started = time.perf_counter()
    if recipe.seeds is not None:
        raise RecipeError("seeds: only one run can be trained here; remove it, or write one seed as training.seed")
    if recipe.is_several:
        raise RecipeError("data.folds: only one run can be trained here; remove it, or write the number of a data.fold")
    if not overwrite and Run.is_finished(recipe.output_dir):
        return pushed(finished(recipe, recipe_dir), recipe)
    check_free(recipe.output_dir)
    distributed.start(bool(recipe.training.given().get("use_cpu")))
    origin = distributed.broadcast_from_main(lambda: inputs.origin_of(recipe, recipe_dir))
    if not overwrite:
        resume.refuse_changes(recipe.output_dir, origin)
    hardware.use_fast_matmul()
    keep_large_blocks()
    setup = TrainingSetup.of(recipe if overwrite else with_former_revisions(recipe), recipe_dir, resolved)
    files = {name: split.files for name, split in setup.splits.named().items()}
    origin = distributed.broadcast_from_main(lambda: inputs.completed(origin, setup.recipe, files))
    findings, checked = _print_report(setup)
    of_data = card.of_data(setup.recipe, setup.splits.named(), setup.train_stats)
    learned = feature_cache.cached_splits(
        setup.recipe, setup.model, setup.encoded_splits, setup.tokenizer, setup.args.device
    )
    with ExitStack() as stack:
        followed = stack.enter_context(trackers.callbacks(setup.recipe))
        trainer = setup.trainer(TaskTrainer, learned, [*_callbacks(setup.recipe), *callbacks, *followed])
        stack.enter_context(stop_on_signal())
        begin = partial(StagedRun.begin, setup.recipe, recipe_dir)
        checkpoint = stack.enter_context(resume.claim_run_dir(recipe.output_dir, origin, begin, overwrite))
        with quiet_transformers():
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        staged = StagedRun.create(
            trainer.tuned(), trainer.model, setup.tokenizer, trainer.train_stats, trainer.state.log_history
        )
        staged.verify(trainer.model, setup.encoded_splits["train"])
        if (kept := kept_epoch(trainer)) is not None:
            say(f"  kept       epoch {short(kept)} of {short(trainer.state.epoch or 0)}")
        mix = weighted_layers.learned(trainer.model)
        for line in weighted_layers.bars(mix):
            say(line)
        facts = {
            "data": _data_facts(setup), "findings": findings, "checked": checked, "base": setup.base, **of_data, **mix,
            "training": _training_facts(trainer, started),
        }  # fmt: skip
        measured = {name: split for name, split in setup.encoded_splits.items() if name != "train"}
        staged.measure(measured, facts)
        distributed.broadcast_from_main(lambda: card.add(staged, setup.args.to_dict()))
        run = staged.publish()
    return pushed(run, recipe)


def pushed(run: Run, recipe: Recipe) -> Run:
    """Push the run as the recipe's `hub` section says, unless it has been pushed; return the run.

    Raises RunError if the push fails: the run is kept, and the same command pushes it again.
    """
    if recipe.hub and left_to_push(recipe) and distributed.is_main():
        say(f"pushed to {hub.push_recipe(run.path, recipe.hub).url}")
        write_status(run.path, "finished", pushed=recipe.hub.model_dump())
    return run


def left_to_push(recipe: Recipe) -> bool:
    """Whether the recipe has a `hub` section and its run has not been pushed there yet."""
    return recipe.hub is not None and pushed_to(recipe.output_dir) != recipe.hub.model_dump()


def _print_report(setup: TrainingSetup) -> tuple[list[str], list[str]]:
    """Print the setup and the issues of the data; return the issues with and without locations and remedies.

    The issues are empty except on the main process.
    """
    for line in setup.report():
        say(line)
    findings, texts = list[str](), list[str]()
    if distributed.is_main():
        checked = setup.checked()
        findings, texts = [str(finding) for finding in checked.issues], [one.text for one in checked.issues]
        for line in checked.brief():
            say(line)
    if distributed.world_size() > 1:
        rows = batch_size(setup.recipe)
        say(f"  processes  {distributed.world_size()}; a step uses {rows} examples over all of them")
    say(setup.steps().line(setup.model))
    return findings, texts


def _callbacks(recipe: Recipe) -> list[TrainerCallback]:
    early = [EarlyStoppingCallback(**recipe.early_stopping.model_dump())] if recipe.early_stopping else []
    return [Progress(), *recipe.method.callbacks(), *early]


def check_free(path: Path) -> None:
    """Raise RunError if there is something in the output directory that is not a run; it is never changed."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: exists and is not a run; choose another --output-dir")
    check_entry_types(path)
    if resume.holds_files(path) and not Run.is_ours(path):
        raise RunError(f"{path}: exists and is not a run; choose another --output-dir")


def with_former_revisions(recipe: Recipe) -> Recipe:
    """Return the recipe with the Hub commits of base model and dataset that its interrupted training has used."""
    path = recipe.output_dir / RECIPE
    if read_origin(recipe.output_dir) is None or not path.is_file():
        return recipe
    former = yaml_file.read(path).values
    sections = {"model": recipe.model, "data": recipe.data}
    pins = {name: (former.get(name) or {}).get("revision") for name in sections}
    pinned = {name: one.model_copy(update={"revision": pins[name]}) for name, one in sections.items() if pins[name]}
    return recipe.model_copy(update=pinned)


def finished(recipe: Recipe, recipe_dir: Path | None) -> Run:
    """Return the finished run in the recipe's directory.

    Raises RunError if it was trained with another recipe, other data or another base checkpoint.
    """
    path, now, before = recipe.output_dir, inputs.origin_of(recipe, recipe_dir), read_origin(recipe.output_dir)
    if before and (changes := [*before.recipe_changes(now), *before.input_changes(now)]):
        remedy = "choose another --output-dir, or add --overwrite"
        raise RunError(*(f"{path}: contains a finished run, and {change}; {remedy}" for change in changes))
    run = Run.load(path)
    for change in before.about_changes(now) if before else ():
        if not change.startswith("hub."):
            say(f"{path}: {change}; the run keeps the former value")
    todo = "it will only be pushed" if left_to_push(recipe) else "there is nothing to do"
    say(f"{path}: this run is finished, {todo}; --overwrite trains it again")
    return run


def _data_facts(setup: TrainingSetup) -> dict[str, Any]:
    """Return the facts about each split for results.json."""
    return {
        name: {
            "examples": len(split.examples),
            "features": len(setup.encoded_splits[name].features),
            "dropped": split.dropped,
            "tokens_cut": sum(setup.encoded_splits[name].features["tokens_cut"][:]),
            "files": split.files,
            "rows_sha256": split.rows_hash(),
        }
        for name, split in setup.splits.named().items()
    }


def kept_epoch(trainer: TaskTrainer) -> float | None:
    """Return the epoch of the best checkpoint; None if the last weights are kept."""
    best = trainer.state.best_global_step
    return round(best / trainer.steps_per_epoch, 4) if best and trainer.args.load_best_model_at_end else None


def _training_facts(trainer: TaskTrainer, started: float) -> dict[str, Any]:
    """Return time, speed and steps of the training for results.json; `seconds` includes reading and loading."""
    summary = next(log for log in reversed(trainer.state.log_history) if "train_runtime" in log)
    model, done = trainer.model, distributed.gather(trainer.counters | {"peak_memory": hardware.peak_memory()})
    tokens, padded_tokens = sum(one["tokens"] for one in done), sum(one["padded_tokens"] for one in done)
    return {
        "seconds": round(time.perf_counter() - started + done[0]["seconds"] - summary["train_runtime"], 1),
        "train_seconds": round(done[0]["seconds"], 4),
        "samples_per_second": summary["train_samples_per_second"],
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "tokens_per_second": round(tokens / max(done[0]["seconds"], 1e-9), 1),
        "padding": round(1 - tokens / max(padded_tokens, 1), 4),
        "best_step": trainer.state.best_global_step,
        "kept_epoch": kept_epoch(trainer),
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "saved_bytes": model_files.saved_bytes(trainer.recipe, model),
        "peak_memory_bytes": max(one["peak_memory"] for one in done),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "precision": "bfloat16" if trainer.in_bfloat16 else "float32",
        "world_size": trainer.args.world_size,
    }
