"""transformers' Trainer made safe: whole checkpoints, orderly stops, the same batches however many processes share
them, smaller pieces where memory runs out, and an end where the loss is no number.

The trainer of a task: its loss, and evaluation through the one path that all commands take."""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from safetensors import SafetensorError
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer
from transformers.trainer_utils import EvalLoopOutput, seed_worker

from hf_tasks.core import distributed
from hf_tasks.core.cpu_kernels import fast_dropout
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.files import cause_of
from hf_tasks.core.signals import Interrupted, Interrupts
from hf_tasks.core.terminal import say
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation
from hf_tasks.runs.status import unwritable
from hf_tasks.tasks import EncodedSplit
from hf_tasks.tasks.collate import IGNORE, items_in, model_inputs
from hf_tasks.training import checkpoints
from hf_tasks.training.arguments import autocasts, batch_size
from hf_tasks.training.batches import Batches, Rows, Shares
from hf_tasks.training.callbacks import SafetyCallback
from hf_tasks.training.loss_meter import LossMeter

LONG = 3.0
"""Seconds of an evaluation; before longer ones there is a checkpoint, shorter ones are not interrupted."""


class SafeTrainer(Trainer):  # type: ignore[misc]
    """Trains from a checkpoint, or from the beginning, as if nothing had ever interrupted it."""

    def __init__(
        self, *, batch_size: int, locate: Callable[[int], str], interrupts: Interrupts | None = None, **options: Any
    ) -> None:
        """`batch_size`: rows of an effective batch. `locate`: where a training row stands in the user's files."""
        super().__init__(**options)
        self.keep, self.args.save_total_limit = self.args.save_total_limit, None  # removed after the save, not before
        self.locate, self.interrupts = locate, interrupts or Interrupts()
        rank, processes = distributed.rank_and_size()
        shares = Shares(batch_size, self.args.per_device_train_batch_size, processes, rank)
        lengths = self.train_dataset[self.args.length_column_name][:]
        self.batches = Batches(
            lengths, shares, self.args.train_sampling_strategy, self.args.data_seed or self.args.seed
        )
        self.counters = {"tokens": 0, "places": 0, "seconds": 0.0, "at_once": shares.at_once}
        """What this process has done since the training's very beginning, and how many rows it can take at once."""
        self.losses = LossMeter(self.args.device)
        self.taken: list[Mapping[str, Any]] = []
        """The pieces of the step under way."""
        self.not_finite = torch.zeros((), device=self.args.device)
        """1 where a loss of the step under way is infinite or not a number."""
        self.saving: Path | None = None
        """The checkpoint that is being written."""
        self.saved_step = 0
        """The step of the last whole checkpoint; 0: there is none."""
        self.evaluation_seconds = math.inf
        """How long the last evaluation took."""
        self.add_callback(SafetyCallback(self))

    @property
    def steps_an_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return math.ceil(len(self.train_dataset) / self.batches.shares.batch_size)

    # -- from the beginning, or from a checkpoint

    def train(self, resume_from_checkpoint: Any = None, **options: Any) -> Any:
        """Raises RunError where no checkpoint can be written, or the loss is not finite; Interrupted after a signal."""
        self.begun = time.perf_counter()
        if resume_from_checkpoint is not None:
            self._restore(Path(resume_from_checkpoint))
        try:
            with self.interrupts:
                result = super().train(resume_from_checkpoint=resume_from_checkpoint, **options)
        except Interrupted:
            raise self.interrupted(self.interrupts.received) from None
        except UnpicklingError:  # torch.load(weights_only=True) has refused it, and run nothing
            raise RunError(
                f"{resume_from_checkpoint}: holds something else than numbers; remove this checkpoint"
            ) from None
        except (OSError, RuntimeError, SafetensorError) as e:
            if distributed.is_loss_of_a_process(e):
                raise RunError("another process of this training has ended; the same command goes on with it") from e
            if self.saving is None:
                raise
            raise self._unsaved(e) from e
        self.counters["seconds"] += time.perf_counter() - self.begun
        if signum := self._signal():
            raise self.interrupted(signum)
        return result

    def _signal(self) -> int:
        """The signal that any of the processes received, or 0."""
        return int(distributed.all_reduce_max([self.interrupts.received], self.args.device)[0])

    def _restore(self, checkpoint: Path) -> None:
        facts, self.saved_step = checkpoints.facts(checkpoint), checkpoints.step_of(checkpoint)
        kept = facts["counters"][self.batches.shares.rank]
        self.counters |= {name: kept[name] for name in self.counters}
        self.losses.restore(kept)
        if facts["done"]:  # nothing is left to train: what is left is to load the best weights
            self.args.max_steps, self.args.num_train_epochs = -1, facts["step"] // self.steps_an_epoch

    def interrupted(self, signum: int) -> Interrupted:
        where = f"saved at step {self.saved_step}" if self.saved_step else "nothing was saved yet"
        return Interrupted(signum, f"interrupted, {where}; give the same command again to go on")

    def _unsaved(self, error: Exception) -> RunError:
        assert self.saving is not None
        shutil.rmtree(self.saving, ignore_errors=True)
        cause = cause_of(error) or f"the system did not take all of a file ({str(error).splitlines()[0]})"
        return RunError(
            f"{self.saving}: the checkpoint cannot be written: {cause}; {self.last_sound()}, make room or mend the "
            "folder and give the same command again"
        )

    def last_sound(self) -> str:
        good, _ = checkpoints.last_good(Path(self.args.output_dir))
        return f"the last sound checkpoint is {good}" if good else "there is no checkpoint yet"

    # -- batches

    def get_train_dataloader(self) -> DataLoader[Any]:
        args = self.args
        return _Loader(
            Rows(self.train_dataset),  # type: ignore[arg-type]
            batch_sampler=self.batches,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
        )

    def rows_of_step(self, step: int) -> list[int]:
        """The training rows that the optimizer's step (counted from 0) learns from."""
        return self.batches.effective(step // self.steps_an_epoch)[step % self.steps_an_epoch]

    # -- evaluation

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """A long evaluation ends at once when a signal comes: the step before it was saved (see Guard)."""
        begun, signum = time.perf_counter(), self._signal()
        if signum and self.evaluates_long:
            raise self.interrupted(signum)
        with self.interrupts.raised() if self.evaluates_long else nullcontext():
            metrics: dict[str, float] = super().evaluate(*args, **options)
        self.evaluation_seconds = distributed.all_reduce_max([time.perf_counter() - begun], self.args.device)[0]
        return metrics

    @property
    def evaluates_long(self) -> bool:
        """Whether a signal cannot wait for an evaluation's end; one that was never measured may be long."""
        return self.evaluation_seconds > LONG

    # -- one step

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        self.taken.append(inputs)
        try:
            loss = self._in_pieces(model, inputs, num_items_in_batch)
        except RuntimeError as e:
            if not _out_of_memory(e):
                raise
            loss = None
        while loss is None:  # outside of `except`, which would keep the tensors of the failed try alive
            loss = self._again_smaller(model, num_items_in_batch)
        self.not_finite = torch.maximum(self.not_finite, (~torch.isfinite(loss)).float())
        self.losses.add(loss)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log values; of the training loss, the averages that no interruption changes."""
        if "loss" in logs:
            logs["loss"] = self.losses.since_last_log(self.state.global_step)
        if "train_loss" in logs:
            logs["train_loss"] = self.losses.since_beginning(self.state.global_step)
        super().log(logs, start_time)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        filler = self.batches.shares.processes > 1 and bool((inputs["labels"] == IGNORE).all())
        loss = super().compute_loss(model, inputs, *args, **options)
        return loss * 0 if filler else loss

    def _in_pieces(self, model: Any, inputs: Mapping[str, Any], items: Any) -> torch.Tensor:
        pieces = _split(inputs, int(self.counters["at_once"]))
        losses = [super(SafeTrainer, self).training_step(model, piece, items) for piece in pieces]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _again_smaller(self, model: Any, items: Any) -> torch.Tensor | None:
        """The whole step so far again, in pieces of half the size; None where they, too, do not fit."""
        rows = min(len(self.taken[-1]["labels"]), int(self.counters["at_once"]))
        if rows == 1:
            raise RunError("training: not even one row fits in memory; lower task.max_length, or take a smaller model")
        half = math.ceil(rows / 2)
        if self.batches.shares.processes > 1:
            error = RunError(
                f"training: {rows} rows do not fit in memory at once; set training.per_device_train_batch_size to "
                f"{half} beside training.batch_size {self.batches.shares.batch_size}: the effective batch stays"
            )
            error.local = True
            raise error
        say(f"out of memory with {rows} rows at once: going on with {half}, accumulating more of them")
        self.counters["at_once"] = half
        model.zero_grad()
        clear_device_cache(garbage_collection=True)
        try:
            return [self._in_pieces(model, inputs, items) for inputs in self.taken][-1]
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
        """Remove what an earlier save left in a checkpoint's place. RunError where the disk cannot take it."""
        root = Path(self.args.output_dir)
        root.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            checkpoints.remove(folder)
        newest = next(iter(checkpoints.folders(root)), None)
        size = checkpoints.size(newest) if newest else bytes_of_checkpoint(self.model)
        if trouble := checkpoints.lacking_room(root, size):
            raise RunError(
                f"{root}: {trouble}; {self.last_sound()}, make room and give the same command again to go on"
            )

    def seal(self, folder: Path, done: bool, passing: bool) -> None:
        """Complete a checkpoint that every process has written its part of, and remove those no longer needed. One
        that is `passing` is needed until the next one only."""
        seconds = self.counters["seconds"] + time.perf_counter() - self.begun
        counters = distributed.gather(self.counters | {"seconds": seconds} | self.losses.state())
        if distributed.is_main():
            (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle that nothing reads
            best = self.state.best_model_checkpoint
            facts = {"best": Path(best).name if best else None, "done": done, "passing": passing, "counters": counters}
            checkpoints.seal(folder, facts)
            checkpoints.rotate(folder.parent, self.keep)
        distributed.barrier()
        self.saving, self.saved_step = None, checkpoints.step_of(folder)


class _Loader(DataLoader):  # type: ignore[type-arg]
    def set_epoch(self, epoch: int) -> None:
        """Called by transformers at the beginning of each epoch."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


def _split(inputs: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
    total = len(inputs["labels"])
    return [{name: tensor[start : start + rows] for name, tensor in inputs.items()} for start in range(0, total, rows)]


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def bytes_of_checkpoint(model: Any) -> int:
    """A first guess: the weights, and two moments of each trained one."""
    return sum(p.numel() * p.element_size() * (3 if p.requires_grad else 1) for p in model.parameters())


class TaskTrainer(SafeTrainer):
    """The trainer with the task's loss, and with evaluation through `evaluation.predict`."""

    def __init__(
        self, recipe: Recipe, *, validation: EncodedSplit | None, memory: dict[str, Any], **options: Any
    ) -> None:
        self.recipe, self.task, self.validation, self.memory = recipe, recipe.task, validation, memory
        self.in_bfloat16 = autocasts(recipe)
        features = validation and validation.features
        try:
            super().__init__(
                batch_size=batch_size(recipe), eval_dataset=features, compute_loss_func=self._loss, **options
            )
        except OSError as e:
            raise unwritable(recipe.output_dir, e) from None
        except (RuntimeError, ImportError) as e:
            raise RecipeError(f"training: {str(e).splitlines()[0]}") from e
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        self.batch = inputs
        inputs = model_inputs(inputs) | {"labels": inputs["labels"]}
        if "attention_mask" in inputs:
            self.counters["tokens"] += int(inputs["attention_mask"].sum())
            self.counters["places"] += inputs["attention_mask"].numel()
        with fast_dropout(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            return super().compute_loss(model, inputs, *args, **options)

    def get_batch_samples(self, *args: Any, **options: Any) -> Any:
        """The batches of a step, and what their mean loss is divided by."""
        batches, items = super().get_batch_samples(*args, **options)
        if batches and "loss_weights" in batches[0]:
            items = torch.stack([items_in(batch) for batch in batches]).sum().to(self.args.device)
            if self.args.world_size > 1:
                items = self.accelerator.gather(items).sum()
        return batches, items

    def _loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        return self.task.loss(outputs, self.batch, num_items_in_batch)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: transformers would walk through all parameters at every step."""
        return 0

    def evaluation_loop(
        self, dataloader: Any, description: str, *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> EvalLoopOutput:
        assert self.validation is not None
        predicted = evaluation.predict(
            self.model, self.task, self.validation, self.processing_class, scores_only=True,
            decoding=self.recipe.decoding, batch_size=self.args.eval_batch_size, description="Evaluating",
        )  # fmt: skip
        values = evaluation.numbers(evaluation.scores(self.task, predicted, self.validation.examples, self.memory))
        values["score"] = next(value for name, value in values.items() if name not in ("n", "loss"))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in values.items()}
        return EvalLoopOutput(predicted.predictions, None, metrics, len(self.validation.examples))

    def tuned(self) -> Recipe:
        """The recipe with the task's decision thresholds and temperature tuned on the validation part."""
        calibrate = self.task.postprocessor().calibrate
        if self.validation is None or calibrate is None:
            return self.recipe
        outputs, _ = evaluation.outputs(self.model, self.task, self.validation, self.processing_class)
        task = calibrate(outputs, self.validation)
        for name, value in task:
            if value != dict(self.task)[name]:
                say(f"  tuned      {name}: {_shortly(value)}")
        return self.recipe.model_copy(update={"task": task})


def _shortly(value: float | dict[str, float]) -> str:
    match value:
        case dict():
            return f"{min(value.values()):.4f} to {max(value.values()):.4f}, one for each of {len(value)} labels"
        case _:
            return f"{value:.4f}"
