"""The plan of a training, in lines: steps, memory, disk and time."""

import shutil
from collections.abc import Iterator, Sequence

import numpy as np

from hf_tasks import artifacts
from hf_tasks.errors import RunError
from hf_tasks.frozen.feature_store import in_bytes
from hf_tasks.planning.rehearsal import Measured, Step, existing, rehearse
from hf_tasks.planning.steps import Steps
from hf_tasks.trainer.checkpoints import MARGIN
from hf_tasks.trainer.progress import seconds
from hf_tasks.trainer.safe_trainer import bytes_of_checkpoint
from hf_tasks.training import Ready


def rehearsed(ready: Ready) -> Iterator[str]:
    """What `check` says at its end. RunError where the training would fail."""
    steps = Steps.of(ready.recipe, ready.args, ready.splits["train"].features)
    yield f"  plan       {steps.counts()}"
    measured = rehearse(ready, steps)
    yield f"  memory     {in_bytes(measured.memory)} at most, of {in_bytes(measured.memory_there)}"
    yield f"  disk       {_disk(ready, steps, measured)}"
    rows = steps.batches.shares.batch_size
    for name, step in (("largest", measured.steps[0]), ("median", measured.steps[1])):
        yield f"  {name:<10} {rows} rows, {step.places} places: {_times(step)}"
    yield from _whole(ready, steps, measured)


def _disk(ready: Ready, steps: Steps, measured: Measured) -> str:
    """Raises RunError where there is not room enough."""
    place = existing(ready.recipe.output_dir)
    run, free = artifacts.saved_bytes(ready.recipe, ready.model), shutil.disk_usage(place).free
    size = max(measured.checkpoint, bytes_of_checkpoint(ready.model)) if steps.checkpoints else 0
    needed = size * (steps.checkpoints + (MARGIN - 1)) + run
    text = f"{steps.checkpoints} checkpoints of {in_bytes(size)} and the run's {in_bytes(run)}"
    if needed > free:
        raise RunError(
            f"{place}: {text} do not fit on this disk, {in_bytes(free)} are free; make room, choose another "
            "--output-dir, or lower training.save_total_limit"
        )
    return f"{text}, of {in_bytes(free)} that are free"


def _times(step: Step) -> str:
    parts = {"forward": step.forward, "backward": step.backward, "optimizer": step.optimizer}
    return ", ".join(f"{name} {value:.3g} s" for name, value in parts.items())


def _whole(ready: Ready, steps: Steps, measured: Measured) -> Iterator[str]:
    evaluations, saves = steps.pauses
    validation = ready.splits.get("validation")
    evaluation = 0.0
    if validation is not None:
        evaluation = measured.evaluation * sum(validation.features["length"][:]) / measured.evaluated
        yield f"  evaluate   {seconds(evaluation)}, {evaluations} times"
    yield f"  save       {measured.save:.3g} s, {saves} times; reload {measured.reload:.3g} s"
    training = training_seconds(measured.steps[1:], steps.places)
    total = training + evaluations * evaluation + saves * measured.save + measured.reload
    yield f"  time       {seconds(total)} of training: {seconds(training)} of steps"


def training_seconds(tried: Sequence[Step], places: np.ndarray) -> float:
    """About how long steps of so many `places` (steps,) take, by what a few of them took."""
    if len(tried) < 3:
        return float(places.sum()) * sum(step.total for step in tried) / sum(step.places for step in tried)
    sizes = sorted({step.places for step in tried})
    times = [np.mean([step.total for step in tried if step.places == size]) for size in sizes]
    return float(np.interp(places, sizes, times).sum())
