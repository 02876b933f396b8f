"""`check`: the report before a training, with estimates of steps, memory, disk space and time."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hf_tasks.core.errors import RunError
from hf_tasks.core.terminal import seconds
from hf_tasks.methods.gradual_unfreezing import GradualUnfreezing
from hf_tasks.models.layers import pretrained_layers
from hf_tasks.recipe import Recipe
from hf_tasks.recipe.resolve import Resolved
from hf_tasks.runs import model_files
from hf_tasks.training.checkpoints import MARGIN
from hf_tasks.training.estimate.dry_run import DryRun, Step, dry_run, existing
from hf_tasks.training.estimate.steps import Steps
from hf_tasks.training.feature_cache.store import in_bytes
from hf_tasks.training.safe_trainer import checkpoint_bytes
from hf_tasks.training.setup import TrainingSetup

MOST_ENCODED = 20_000
"""Number of examples of a split from which lengths, steps and times are estimated."""


def check(
    recipe: Recipe, *, recipe_dir: Path | None = None, dry_run: bool = True, resolved: Resolved | None = None
) -> list[str]:
    """Return the report before a training as lines. Raises RecipeError, DataError or RunError.

    `dry_run`: run a few real training steps to measure time and memory.
    """
    setup = TrainingSetup.of(recipe, recipe_dir, resolved, most=MOST_ENCODED)
    plan = dry_run_lines(setup) if dry_run else [setup.steps().line(setup.model)]
    return [*setup.report(), *setup.checked().lines(), *plan]


def dry_run_lines(setup: TrainingSetup) -> Iterator[str]:
    """Yield the lines about memory, disk and time. Raises RunError if the training would fail."""
    steps = setup.steps()
    yield f"  plan       {steps.counts()}"
    measured = dry_run(setup, steps)
    yield f"  memory     {in_bytes(measured.memory)} at the peak, of {in_bytes(measured.total_memory)}"
    yield f"  disk       {_disk(setup, steps, measured)}"
    rows = steps.batches.sharding.batch_size
    for name, step in (("largest", measured.steps[0]), ("median", measured.steps[1])):
        yield f"  {name:<10} {rows} rows, {step.padded_tokens} padded tokens: {_times(step)}"
    yield from _whole(setup, steps, measured)


def _disk(setup: TrainingSetup, steps: Steps, measured: DryRun) -> str:
    """Return the line about disk space. Raises RunError if there is not enough."""
    place = existing(setup.recipe.output_dir)
    run, free = model_files.saved_bytes(setup.recipe, setup.model), shutil.disk_usage(place).free
    size = max(measured.checkpoint, checkpoint_bytes(setup.model)) if steps.checkpoints else 0
    needed = size * (steps.checkpoints + (MARGIN - 1)) + run
    kept = f"{steps.checkpoints} checkpoints of {in_bytes(size)} at most, and " if size else ""
    text = f"{kept}{in_bytes(run)} of the run"
    if needed > free:
        raise RunError(
            f"{place}: {text} do not fit on this disk, {in_bytes(free)} are free; free space, choose another "
            "--output-dir, or lower training.save_total_limit"
        )
    return f"{text}; {in_bytes(free)} are free"


def _times(step: Step) -> str:
    splits = {"forward": step.forward, "backward": step.backward, "optimizer": step.optimizer}
    return ", ".join(f"{name} {value:.3g} s" for name, value in splits.items())


def _whole(setup: TrainingSetup, steps: Steps, measured: DryRun) -> Iterator[str]:
    """Yield the lines about the time of each stage and in all."""
    (evaluations, saves), states = steps.evaluations_and_saves, measured.states
    tokens = {
        name: sum(encoded.features["length"][:]) * setup.scale(name)
        for name, encoded in setup.encoded_splits.items()
        if name != "train"
    }
    first, *later = measured.steps
    tried = (
        later if any(step.padded_tokens == first.padded_tokens for step in later) else measured.steps
    )  # the first one warms up
    training = step_seconds(tried, steps.padded_tokens, trained_share(setup, steps))
    evaluation = measured.evaluation * tokens.get("validation", 0) * evaluations
    saving = measured.save * saves + (measured.reload if setup.args.load_best_model_at_end else 0)
    if states.size:
        yield f"  cache      {in_bytes(states.size)}; {seconds(states.seconds)} to compute them"
    if saves:
        yield f"  checkpoint written in {measured.save:.3g} s, loaded in {measured.reload:.3g} s"
    splits = {"steps": training, f"{evaluations} evaluations": evaluation, f"{saves} checkpoints": saving}
    shown = ", ".join(f"{name} {seconds(value)}" for name, value in splits.items() if value)
    yield f"  time       {seconds(states.seconds + training + evaluation + saving)} of training: {shown}"
    measuring = sum(tokens.values()) + (
        tokens.get("validation", 0) if setup.recipe.task.postprocessor().calibrate else 0
    )
    yield f"  {'':<10} then {seconds(measured.measuring * measuring)} to measure the trained model"


def trained_share(setup: TrainingSetup, steps: Steps) -> np.ndarray:
    """Return (steps,) the share of the model's blocks that is trained at each step."""
    match setup.recipe.method:
        case GradualUnfreezing() as method:
            from hf_tasks.methods.unfreezing_schedule import stages

            blocks = len(stages(pretrained_layers(setup.model))) - 2
            free = [method.stage(step / steps.steps_per_epoch, step) for step in range(steps.total)]
            return np.minimum(np.array(free) / blocks, 1)
        case _:
            return np.ones(steps.total)


def step_seconds(tried: Sequence[Step], padded_tokens: np.ndarray, trained: np.ndarray) -> float:
    """Estimate the seconds of all steps by interpolating the measured steps over their size.

    `padded_tokens` (steps,): tokens and padding of each step; `trained` (steps,): the share of the backward pass that
    each step computes.
    """
    sizes = sorted({step.padded_tokens for step in tried})
    groups = [[step for step in tried if step.padded_tokens == size] for size in sizes]
    total = [float(np.mean([step.total for step in group])) for group in groups]
    back = [float(np.mean([step.backward + step.optimizer for step in group])) for group in groups]
    sizes, total, back = [0, *sizes], [0.0, *total], [0.0, *back]
    return float((np.interp(padded_tokens, sizes, total) - (1 - trained) * np.interp(padded_tokens, sizes, back)).sum())
