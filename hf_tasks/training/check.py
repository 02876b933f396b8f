"""The plan of a training, in lines: steps, memory, disk and time."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hf_tasks.core.errors import RunError
from hf_tasks.core.terminal import seconds
from hf_tasks.methods.gradual_unfreezing import GradualUnfreezing
from hf_tasks.models.layers import pretrained_layers
from hf_tasks.recipe import Recipe
from hf_tasks.runs import model_files
from hf_tasks.training.checkpoints import MARGIN
from hf_tasks.training.estimate.dry_run import Measured, Step, existing, rehearse
from hf_tasks.training.estimate.steps import Steps
from hf_tasks.training.feature_cache.store import in_bytes
from hf_tasks.training.setup import TrainingSetup
from hf_tasks.training.trainer import bytes_of_checkpoint


def check(recipe: Recipe, *, recipe_dir: Path | None = None, rehearse: bool = True) -> list[str]:
    """The report that precedes a training, in lines; `rehearse`: a little of the training is really done. Raises
    RecipeError, DataError or RunError."""
    ready = TrainingSetup.of(recipe, recipe_dir)
    plan = rehearsed(ready) if rehearse else counted(ready)
    return [*ready.report(), *ready.checked().lines(), *plan]


def counted(ready: TrainingSetup) -> Iterator[str]:
    """What is known without running anything."""
    yield ready.steps().line(ready.model)


def rehearsed(ready: TrainingSetup) -> Iterator[str]:
    """What `check` says at its end. RunError where the training would fail."""
    steps = ready.steps()
    yield f"  plan       {steps.counts()}"
    measured = rehearse(ready, steps)
    yield f"  memory     {in_bytes(measured.memory)} at the peak, of {in_bytes(measured.memory_there)}"
    yield f"  disk       {_disk(ready, steps, measured)}"
    rows = steps.batches.shares.batch_size
    for name, step in (("largest", measured.steps[0]), ("median", measured.steps[1])):
        yield f"  {name:<10} {rows} rows, {step.places} places: {_times(step)}"
    yield from _whole(ready, steps, measured)


def _disk(ready: TrainingSetup, steps: Steps, measured: Measured) -> str:
    """Raises RunError where there is not room enough."""
    place = existing(ready.recipe.output_dir)
    run, free = model_files.saved_bytes(ready.recipe, ready.model), shutil.disk_usage(place).free
    size = max(measured.checkpoint, bytes_of_checkpoint(ready.model)) if steps.checkpoints else 0
    needed = size * (steps.checkpoints + (MARGIN - 1)) + run
    kept = f"{steps.checkpoints} checkpoints of {in_bytes(size)} at most, and " if size else ""
    text = f"{kept}{in_bytes(run)} of the run"
    if needed > free:
        raise RunError(
            f"{place}: {text} do not fit on this disk, {in_bytes(free)} are free; make room, choose another "
            "--output-dir, or lower training.save_total_limit"
        )
    return f"{text}; {in_bytes(free)} are free"


def _times(step: Step) -> str:
    splits = {"forward": step.forward, "backward": step.backward, "optimizer": step.optimizer}
    return ", ".join(f"{name} {value:.3g} s" for name, value in splits.items())


def _whole(ready: TrainingSetup, steps: Steps, measured: Measured) -> Iterator[str]:
    """Seconds of everything, and of the whole."""
    (evaluations, saves), states = steps.pauses, measured.states
    tokens = {
        name: sum(encoded.features["length"][:]) for name, encoded in ready.encoded_splits.items() if name != "train"
    }
    first, *later = measured.steps
    tried = later if any(step.places == first.places for step in later) else measured.steps  # the first one warms up
    training = step_seconds(tried, steps.places, trained_share(ready, steps))
    evaluation = measured.evaluation * tokens.get("validation", 0) * evaluations
    saving = measured.save * saves + (measured.reload if ready.args.load_best_model_at_end else 0)
    if states.size:
        yield f"  states     {in_bytes(states.size)}; {seconds(states.seconds)} to compute them"
    if saves:
        yield f"  checkpoint written in {measured.save:.3g} s, loaded in {measured.reload:.3g} s"
    splits = {"steps": training, f"{evaluations} evaluations": evaluation, f"{saves} checkpoints": saving}
    shown = ", ".join(f"{name} {seconds(value)}" for name, value in splits.items() if value)
    yield f"  time       {seconds(states.seconds + training + evaluation + saving)} of training: {shown}"
    measuring = sum(tokens.values()) + (
        tokens.get("validation", 0) if ready.recipe.task.postprocessor().calibrate else 0
    )
    yield f"  {'':<10} then {seconds(measured.measuring * measuring)} to measure the trained model"


def trained_share(ready: TrainingSetup, steps: Steps) -> np.ndarray:
    """(steps,) the share of the model's blocks that trains."""
    match ready.recipe.method:
        case GradualUnfreezing() as method:
            from hf_tasks.methods.gradual_unfreezing import stages

            blocks = len(stages(pretrained_layers(ready.model))) - 2
            free = [method.stage(step / steps.an_epoch, step) for step in range(steps.total)]
            return np.minimum(np.array(free) / blocks, 1)
        case _:
            return np.ones(steps.total)


def step_seconds(tried: Sequence[Step], places: np.ndarray, trained: np.ndarray) -> float:
    """About how long steps of so many `places` (steps,) take, by what a few of them took; `trained` (steps,): which
    share of the way back each of them goes."""
    sizes = sorted({step.places for step in tried})
    groups = [[step for step in tried if step.places == size] for size in sizes]
    whole = [float(np.mean([step.total for step in group])) for group in groups]
    back = [float(np.mean([step.backward + step.optimizer for step in group])) for group in groups]
    sizes, whole, back = [0, *sizes], [0.0, *whole], [0.0, *back]
    return float((np.interp(places, sizes, whole) - (1 - trained) * np.interp(places, sizes, back)).sum())
