"""Dry run: run a few real steps, an evaluation, a save and a resume in a temporary folder to measure time and memory.

It uses the trainer of the real training, so that problems with memory or disk space show up. The size and time of the
feature cache are estimated from a few features.
"""

import gc
import math
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from transformers import TrainerCallback

from hf_tasks.core import hardware
from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.cpu_kernels import keep_large_blocks
from hf_tasks.core.signals import Interrupted, Interrupts, stop_on_signal
from hf_tasks.runs import evaluation
from hf_tasks.runs.status import CHECKPOINTS, unwritable
from hf_tasks.tasks import EncodedSplit
from hf_tasks.training import checkpoints
from hf_tasks.training.arguments import arguments, autocasts
from hf_tasks.training.estimate.steps import Steps
from hf_tasks.training.feature_cache import attach_cache, encoder_of, read_by_model, store
from hf_tasks.training.feature_cache.encoder import lengths_of
from hf_tasks.training.setup import TrainingSetup
from hf_tasks.training.trainer import TaskTrainer


@dataclass(frozen=True)
class CacheEstimate:
    """Estimated time and size of the feature cache."""

    learned: dict[str, EncodedSplit]
    """The features of the dry run, with cached states in memory."""
    seconds: float = 0.0
    """Time to encode all features that are not on disk."""
    size: int = 0
    """Size of the cached states in bytes; 0 without a cache."""


def estimate_cache(few: TrainingSetup, setup: TrainingSetup) -> CacheEstimate:
    """Estimate `feature_cache.cached_splits` of a setup from one with a few of its features; writes nothing."""
    encoder = encoder_of(few.recipe, few.model, few.encoded_splits["train"], few.tokenizer, few.args.device)
    if encoder is None:
        return CacheEstimate(few.encoded_splits)
    kept, seconds, size = {}, 0.0, 0
    for name in few.encoded_splits.keys() & setup.encoded_splits.keys():
        in_bfloat16 = autocasts(few.recipe) and name == "train"
        every = read_by_model(setup.encoded_splits[name].features, encoder.inputs)
        taken = round(4 * math.prod(encoder.shape(every)) * setup.scale(name))
        if taken > store.max_size(store.root()):
            continue
        size += taken
        started, some = time.perf_counter(), read_by_model(few.encoded_splits[name].features, encoder.inputs)
        kept[name] = encoder.in_memory(some, in_bfloat16)
        if not (store.root() / encoder.key(every, in_bfloat16)).exists():
            share = float(lengths_of(every).sum() / lengths_of(some).sum()) * setup.scale(name)
            seconds += (time.perf_counter() - started) * share
    return CacheEstimate(attach_cache(encoder, few.encoded_splits, kept) if kept else few.encoded_splits, seconds, size)


SHARES = (1.0, 0.5, 0.95, 0.05, 0.75, 0.25, 1.0)
"""Quantiles of the batches' sizes that are run: the largest, the median, ..."""
LONG = 15.0
"""Seconds of training steps after which no more batches are run."""
EVALUATED = 128
"""Number of examples for the evaluation, of all lengths; for generated texts one batch."""
WRITTEN = (4, 16)
"""Limits of generated tokens for two evaluations, whose difference gives the time per token."""
OTHERWISE = {
    "train_sampling_strategy": "sequential", "eval_strategy": "no", "save_strategy": "no", "eval_on_start": False,
    "load_best_model_at_end": False, "logging_strategy": "no", "report_to": "none", "save_total_limit": None,
}  # fmt: skip
"""TrainingArguments of the dry run that differ from the training's."""


@dataclass(frozen=True)
class Step:
    """The size of one optimizer step and its times in seconds."""

    padded_tokens: int
    """Number of tokens with padding."""
    forward: float
    backward: float
    optimizer: float
    total: float
    """Including the loading of the batch."""


@dataclass(frozen=True)
class DryRun:
    """Times (seconds) and sizes (bytes) measured by a dry run."""

    steps: list[Step]
    """One for each batch, the largest first, then the median."""
    save: float
    reload: float
    checkpoint: int
    states: CacheEstimate
    evaluation: float
    """Seconds per token of an evaluation during training."""
    measuring: float
    """Seconds per token of an evaluation after training."""
    memory: int
    """Peak memory in bytes."""
    total_memory: int
    """Total memory in bytes."""


class StepTimer(TrainerCallback):  # type: ignore[misc]
    """Callback: measures the time of each step, and stops training after LONG seconds."""

    def __init__(self, padded_tokens: Sequence[int]) -> None:
        """Make a timer; `padded_tokens`: tokens with padding of each step."""
        self.padded_tokens, self.steps = padded_tokens, list[Step]()
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = now()
        yield
        self.ended = now()
        self.spent[name] += self.ended - started

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.started = self.mark = now()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        moment, forward = now(), self.spent["forward"]
        backward, optimizer = self.spent["pass"] - forward, moment - self.ended
        padded_tokens = self.padded_tokens[(state.global_step - 1) % len(self.padded_tokens)]
        self.steps.append(Step(padded_tokens, forward, backward, optimizer, moment - self.mark))
        self.spent.clear()
        self.mark = moment
        if state.global_step > 1 and moment - self.started > LONG:
            control.should_training_stop = True


class NoInterrupts(Interrupts):
    """Ctrl-C stops the dry run at once; nothing is saved."""

    def __enter__(self) -> Self:
        return self


class DryRunTrainer(TaskTrainer):
    """TaskTrainer that measures times."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.clock = next(one for one in options["callbacks"] if isinstance(one, StepTimer))
        super().__init__(*args, **options)
        self.interrupts = NoInterrupts()

    def compute_loss(self, *args: Any, **options: Any) -> Any:
        with self.clock.timed("forward"):
            return super().compute_loss(*args, **options)

    def training_step(self, *args: Any, **options: Any) -> torch.Tensor:
        with self.clock.timed("pass"):
            return super().training_step(*args, **options)

    def save_model(self, *args: Any, **options: Any) -> None:
        self.clock.mark = now()
        super().save_model(*args, **options)

    def finalize(self, *args: Any, **options: Any) -> None:
        super().finalize(*args, **options)
        self.save_seconds = now() - self.clock.mark


def dry_run(setup: TrainingSetup, steps: Steps) -> DryRun:
    """Run the dry run. Raises RunError if the training is impossible, e.g. for lack of memory or disk space."""
    hardware.use_fast_matmul()
    keep_large_blocks()
    there = existing(setup.recipe.output_dir)
    try:
        with (
            stop_on_signal(),
            tempfile.TemporaryDirectory(dir=there, prefix=".dry-run-") as folder,
            quiet_transformers(),
        ):
            return _measured(setup, steps, Path(folder))
    except OSError as e:
        raise unwritable(there, e) from None


def _measured(setup: TrainingSetup, steps: Steps, folder: Path) -> DryRun:
    chosen, every = chosen_batches(steps), setup
    setup, padded_tokens = _shortened(setup, steps, chosen, folder), [int(steps.padded_tokens[step]) for step in chosen]
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    states = estimate_cache(setup, every)
    first = setup.trainer(DryRunTrainer, states.learned, [StepTimer(padded_tokens)])
    first.interrupts.received = signal.SIGTERM  # training saves and ends after the first step
    with suppress(Interrupted):
        first.train()
    save, largest = first.save_seconds, first.clock.steps[0]
    del first
    gc.collect()
    checkpoint, _ = checkpoints.last_good(setup.recipe.output_dir / CHECKPOINTS)
    assert checkpoint is not None
    trainer, started = setup.trainer(DryRunTrainer, states.learned, [StepTimer(padded_tokens)]), now()
    trainer.train(resume_from_checkpoint=str(checkpoint))
    reload, in_training = trainer.clock.started - started, evaluated(trainer)
    trainer.validation = setup.encoded_splits.get("validation")
    return DryRun(
        steps=[largest, *trainer.clock.steps],
        save=save, reload=reload, checkpoint=checkpoints.size(checkpoint), states=states,
        evaluation=in_training, measuring=evaluated(trainer) if states.size else in_training,
        memory=hardware.peak_memory(), total_memory=hardware.total_memory(),
    )  # fmt: skip


def chosen_batches(steps: Steps) -> list[int]:
    """Return the steps that are run, the largest batch first; incomplete last batches of an epoch are excluded."""
    full = [step for step in range(steps.total) if (step + 1) % steps.steps_per_epoch or steps.steps_per_epoch == 1]
    by_size = np.array(full)[np.argsort(steps.padded_tokens[full], kind="stable")]
    return [int(by_size[round(share * (len(by_size) - 1))]) for share in SHARES]


def _shortened(setup: TrainingSetup, steps: Steps, chosen: Sequence[int], folder: Path) -> TrainingSetup:
    """Return the setup of a training with only the chosen steps, below `folder`, and few examples for evaluation."""
    given = OTHERWISE | {"max_steps": len(chosen), "output_dir": str(folder)}
    recipe = setup.recipe.model_copy(update={"training": setup.recipe.training.model_copy(update=given)})
    train, encoded_splits = setup.encoded_splits["train"], dict[str, EncodedSplit]()
    several = chosen if steps.steps_per_epoch > 1 else chosen[:1]
    rows = [row % len(train.features) for step in several for row in steps.rows_of(step)]  # of a sample: repeated
    encoded_splits["train"] = EncodedSplit(train.examples, train.features.select(rows))
    measured = next((name for name in ("validation", "test") if name in setup.encoded_splits), None)
    if measured is not None:
        sequences = recipe.decoding.sequences if recipe.decoding else 0
        most = max(setup.args.eval_batch_size // sequences, 1) if sequences else EVALUATED
        encoded_splits["validation"] = few(setup, setup.encoded_splits[measured], most)
    return replace(setup, recipe=recipe, args=arguments(recipe, validated=False), encoded_splits=encoded_splits)


def few(setup: TrainingSetup, encoded: EncodedSplit, most: int) -> EncodedSplit:
    """Return at most `most` examples of all lengths."""
    order = np.argsort(np.array(encoded.features["length"][:]), kind="stable")
    features = order[np.unique(np.linspace(0, len(order) - 1, most).astype(np.int64))]
    rows = sorted({encoded.features[int(i)]["example"] for i in features})
    return evaluation.encode(encoded.examples.select(rows), setup.recipe.task, setup.tokenizer)


def evaluated(trainer: DryRunTrainer) -> float:
    """Return the seconds per token of an evaluation, assuming that generated texts are as long as the references."""
    if trainer.validation is None:
        return 0.0
    features, decoding = trainer.validation.features, trainer.recipe.decoding
    tokens = int(sum(features["length"][:]))
    if decoding is None:
        _evaluation(trainer)  # warm-up
        return _evaluation(trainer) / tokens
    assert decoding.max_new_tokens is not None
    written = int(max(features["target_length"][:]))
    shorter, longer = (min(most, decoding.max_new_tokens) for most in WRITTEN)
    _evaluation(trainer, 1)
    brief, long = _evaluation(trainer, shorter), _evaluation(trainer, longer)
    a_token = max(long - brief, 0) / max(longer - shorter, 1)
    return (long + a_token * (min(written, decoding.max_new_tokens) - longer)) / tokens


def _evaluation(trainer: DryRunTrainer, max_new_tokens: int | None = None) -> float:
    """Return the seconds of an evaluation."""
    recipe = trainer.recipe
    if recipe.decoding:
        decoding = recipe.decoding.model_copy(update={"max_new_tokens": max_new_tokens})
        trainer.recipe = recipe.model_copy(update={"decoding": decoding})
    started = now()
    try:
        trainer.evaluate()
    finally:
        trainer.recipe = recipe
    return now() - started


def existing(path: Path) -> Path:
    """Return the nearest existing folder: the path itself or a parent."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def now() -> float:
    """Return the time in seconds after all GPU operations have finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
