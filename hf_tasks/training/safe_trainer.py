"""SafeTrainer: transformers' Trainer with atomic checkpoints, graceful stops, exact resume and a finite loss.

Batches do not depend on the number of processes, and micro-batches get smaller when memory runs out.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from safetensors import SafetensorError
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import seed_worker

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import os_error_text
from hf_tasks.core.signals import Interrupted, Interrupts
from hf_tasks.core.terminal import say
from hf_tasks.tasks.collate import IGNORE
from hf_tasks.training import checkpoints
from hf_tasks.training.batches import Batches, BatchSharding, Rows
from hf_tasks.training.callbacks import SafetyCallback
from hf_tasks.training.loss_meter import LossMeter
from hf_tasks.training.mixture import Mixture

UNSAVED = (OSError, RuntimeError, SafetensorError)
"""What writing a checkpoint raises; tokenizers raise an Exception with the system's error in its message."""
LONG = 3.0
"""Seconds from which an evaluation is long: a checkpoint is saved before it, and signals interrupt it."""


class SafeTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose results do not depend on interruptions."""

    def __init__(
        self,
        *,
        batch_size: int,
        row_location: Callable[[int], str],
        row_groups: np.ndarray | None = None,
        sort_batches: bool = False,
        mixture: Mixture | None = None,
        interrupts: Interrupts | None = None,
        **options: Any,
    ) -> None:
        """Make a trainer; `batch_size`: examples per step; `row_location`: example index -> file and line.

        `row_groups`: (N,) the group of each example; those of one group are kept in different steps.
        `sort_batches`: as for `Batches`.
        """
        super().__init__(**options)
        self.keep, self.args.save_total_limit = self.args.save_total_limit, None  # removed after the save, not before
        self.row_location, self.interrupts = row_location, interrupts or Interrupts()
        rank, processes = distributed.rank_and_size()
        sharding = BatchSharding(batch_size, self.args.per_device_train_batch_size, processes, rank)
        lengths = self.train_dataset[self.args.length_column_name][:]
        self.batches = Batches(
            lengths,
            sharding,
            self.args.train_sampling_strategy,
            self.args.data_seed or self.args.seed,
            row_groups,
            sort_batches=sort_batches,
            mixture=mixture,
        )
        self.counters = {"tokens": 0, "padded_tokens": 0, "seconds": 0.0, "micro_batch_size": sharding.micro_batch_size}
        """Totals of this process since the beginning of the training, and the current micro-batch size."""
        self.losses = LossMeter(self.args.device)
        self.step_inputs: list[Mapping[str, Any]] = []
        """The micro-batches of the current step."""
        self.not_finite = torch.zeros((), device=self.args.device)
        """1 if a loss of the current step is infinite or not a number."""
        self.saving: Path | None = None
        """The checkpoint that is being written."""
        self.saved_step = 0
        """The step of the last complete checkpoint; 0 if there is none."""
        self.evaluation_seconds = math.inf
        """Duration of the last evaluation."""
        self.add_callback(SafetyCallback(self))

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps per epoch."""
        return math.ceil(self.batches.rows_per_epoch / self.batches.sharding.batch_size)

    # -- from the beginning, or from a checkpoint

    def train(self, resume_from_checkpoint: Any = None, **options: Any) -> Any:
        """Train; raises RunError if saving fails or the loss is not finite, and Interrupted after a signal."""
        self.started = time.perf_counter()
        given = self.args.max_steps, self.args.num_train_epochs
        if resume_from_checkpoint is not None:
            self._restore(Path(resume_from_checkpoint))
        try:
            with self.interrupts:
                result = super().train(resume_from_checkpoint=resume_from_checkpoint, **options)
        except Interrupted:
            raise self.interrupted(self.interrupts.received) from None
        except UnpicklingError:  # torch.load(weights_only=True) has refused it, and run nothing
            raise RunError(f"{resume_from_checkpoint}: not a valid checkpoint (unsafe pickle); delete it") from None
        except Exception as e:
            if distributed.is_worker_failure(e):
                raise RunError("another process of this training has ended; run the same command to resume") from e
            if self.saving is None or not (isinstance(e, UNSAVED) or os_error_text(e)):
                raise
            raise self._unsaved(e) from e
        finally:
            self.args.max_steps, self.args.num_train_epochs = given
        self.counters["seconds"] += time.perf_counter() - self.started
        if signum := self._signal():
            raise self.interrupted(signum)
        return result

    def _signal(self) -> int:
        """Return the signal that any of the processes received, or 0."""
        return int(distributed.all_reduce_max([self.interrupts.received], self.args.device)[0])

    def _restore(self, checkpoint: Path) -> None:
        facts, self.saved_step = checkpoints.facts(checkpoint), checkpoints.step_of(checkpoint)
        kept = facts["counters"][self.batches.sharding.rank]
        self.counters |= {name: kept[name] for name in self.counters}
        self.losses.restore(kept)
        if facts["done"]:  # all steps are done; only the best weights must be loaded
            self.args.max_steps, self.args.num_train_epochs = -1, facts["step"] // self.steps_per_epoch

    def interrupted(self, signum: int) -> Interrupted:
        where = f"saved at step {self.saved_step}" if self.saved_step else "nothing was saved yet"
        return Interrupted(signum, f"interrupted, {where}; run the same command again to continue")

    def _unsaved(self, error: Exception) -> RunError:
        assert self.saving is not None
        shutil.rmtree(self.saving, ignore_errors=True)
        cause = os_error_text(error) or f"the system did not take all of a file ({str(error).splitlines()[0]})"
        return RunError(
            f"{self.saving}: the checkpoint cannot be written: {cause}; {self.last_good_checkpoint()}, free space or "
            "repair the folder and run the same command again"
        )

    def last_good_checkpoint(self) -> str:
        good, _ = checkpoints.last_good(Path(self.args.output_dir))
        return f"the last good checkpoint is {good}" if good else "there is no checkpoint yet"

    # -- batches

    def get_train_dataloader(self) -> DataLoader[Any]:
        args = self.args
        return _Loader(
            Rows(self.train_dataset, self.batches.seed),  # type: ignore[arg-type]
            batch_sampler=self.batches,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
        )

    def rows_of_step(self, step: int) -> list[int]:
        """Return the training examples of an optimizer step (counted from 0)."""
        return self.batches.effective(step // self.steps_per_epoch)[step % self.steps_per_epoch]

    # -- evaluation

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """Evaluate; a signal interrupts a long evaluation at once, since the step before it has been saved."""
        started, signum = time.perf_counter(), self._signal()
        if signum and self.evaluates_long:
            raise self.interrupted(signum)
        with self.interrupts.raise_at_once() if self.evaluates_long else nullcontext():
            metrics: dict[str, float] = super().evaluate(*args, **options)
        self.evaluation_seconds = distributed.all_reduce_max([time.perf_counter() - started], self.args.device)[0]
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Whether this evaluation is the best so far; of equal scores, the lower loss is better."""
        if super()._determine_best_metric(metrics, trial):
            return True
        score = metrics.get(f"eval_{(self.args.metric_for_best_model or '').removeprefix('eval_')}")
        losses = {log["step"]: log["eval_loss"] for log in self.state.log_history if "eval_loss" in log}
        best = losses.get(self.state.best_global_step, -math.inf)
        if score is None or score != self.state.best_metric or metrics.get("eval_loss", math.inf) >= best:
            return False
        self.state.best_global_step = self.state.global_step
        return True

    @property
    def evaluates_long(self) -> bool:
        """Whether the last evaluation was long; True before the first one."""
        return self.evaluation_seconds > LONG

    # -- one step

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        self.step_inputs.append(inputs)
        try:
            loss = self._in_micro_batches(model, inputs, num_items_in_batch)
        except RuntimeError as e:
            if not _out_of_memory(e):
                raise
            loss = None
        while loss is None:  # outside of `except`, which would keep the tensors of the failed try alive
            loss = self._retry_with_half(model, num_items_in_batch)
        self.not_finite = torch.maximum(self.not_finite, (~torch.isfinite(loss)).float())
        self.losses.add(loss)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log values, with averages of the training loss that do not depend on interruptions."""
        if "loss" in logs:
            logs["loss"] = self.losses.since_last_log(self.state.global_step)
        if "train_loss" in logs:
            logs["train_loss"] = self.losses.since_beginning(self.state.global_step)
        super().log(logs, start_time)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        filler = self.batches.sharding.processes > 1 and bool((inputs["labels"] == IGNORE).all())
        loss = super().compute_loss(model, inputs, *args, **options)
        return loss * 0 if filler else loss

    def _in_micro_batches(self, model: Any, inputs: Mapping[str, Any], items: Any) -> torch.Tensor:
        micro_batches = split_batch(inputs, int(self.counters["micro_batch_size"]))
        losses = [super(SafeTrainer, self).training_step(model, micro_batch, items) for micro_batch in micro_batches]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def forget_pieces(self) -> None:
        """Called before the current step is computed again in smaller pieces."""

    def _retry_with_half(self, model: Any, items: Any) -> torch.Tensor | None:
        """Repeat the current step in micro-batches of half the size; None if these do not fit in memory either."""
        rows = min(len(self.step_inputs[-1]["labels"]), int(self.counters["micro_batch_size"]))
        if rows == 1:
            raise RunError("training: one example does not fit in memory; lower task.max_length or use a smaller model")
        half = math.ceil(rows / 2)
        if self.batches.sharding.processes > 1:
            error = RunError(
                f"training: {rows} examples do not fit in memory; set training.per_device_train_batch_size to {half} "
                f"with training.batch_size {self.batches.sharding.batch_size}: the effective batch size is the same"
            )
            error.local = True
            raise error
        say(f"out of memory with micro-batches of {rows} examples: continuing with {half}, at the same batch size")
        self.counters["micro_batch_size"] = half
        self.forget_pieces()
        model.zero_grad()
        clear_device_cache(garbage_collection=True)
        try:
            return [self._in_micro_batches(model, inputs, items) for inputs in self.step_inputs][-1]
        except RuntimeError as e:
            if not _out_of_memory(e):
                raise
            return None

    # -- saving

    def save_model(self, output_dir: str | None = None, **options: Any) -> None:
        folder = Path(output_dir or self.args.output_dir)
        if checkpoints.step_of(folder) >= 0:
            distributed.broadcast_from_main(lambda: self._make_room(folder))
            self.saving = folder
        super().save_model(output_dir, **options)

    def _make_room(self, folder: Path) -> None:
        """Remove an incomplete checkpoint of the same step. Raises RunError if the disk has no space."""
        root = Path(self.args.output_dir)
        root.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            checkpoints.remove(folder)
        newest = next(iter(checkpoints.folders(root)), None)
        size = checkpoints.size(newest) if newest else checkpoint_bytes(self.model)
        if trouble := checkpoints.disk_space_error(root, size):
            raise RunError(
                f"{root}: {trouble}; {self.last_good_checkpoint()}, free space and run the same command again to "
                "continue"
            )

    def finalize(self, folder: Path, done: bool, temporary: bool) -> None:
        """Complete a checkpoint that all processes have written and remove old ones; `temporary`: until the next."""
        seconds = self.counters["seconds"] + time.perf_counter() - self.started
        counters = distributed.gather(self.counters | {"seconds": seconds} | self.losses.state())
        if distributed.is_main():
            (folder / "training_args.bin").unlink(missing_ok=True)  # an unused pickle
            best = self.state.best_model_checkpoint
            facts = {
                "best": Path(best).name if best else None,
                "done": done,
                "temporary": temporary,
                "counters": counters,
            }
            checkpoints.finalize(folder, facts)
            checkpoints.rotate(folder.parent, self.keep)
        distributed.barrier()
        self.saving, self.saved_step = None, checkpoints.step_of(folder)


class _Loader(DataLoader):  # type: ignore[type-arg]
    def set_epoch(self, epoch: int) -> None:
        """Called by transformers at the beginning of each epoch."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


def split_batch(inputs: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
    """Return a batch in pieces of at most `rows` rows."""
    total = len(inputs["labels"])
    return [{name: tensor[start : start + rows] for name, tensor in inputs.items()} for start in range(0, total, rows)]


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def checkpoint_bytes(model: Any) -> int:
    """Estimate the size of a checkpoint in bytes: the weights, and two moments for each trained one."""
    return sum(p.numel() * p.element_size() * (3 if p.requires_grad else 1) for p in model.parameters())
