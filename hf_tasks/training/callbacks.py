"""Callbacks of a training: safety checks between steps, and progress output."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.signals import Interrupted, Interrupts
from hf_tasks.core.terminal import seconds, short
from hf_tasks.runs.evaluation import numbers


class Guarded(Protocol):
    """The interface of SafeTrainer that SafetyCallback needs."""

    interrupts: Interrupts
    step_inputs: list[Any]
    not_finite: torch.Tensor
    row_location: Callable[[int], str]

    @property
    def steps_per_epoch(self) -> int: ...
    @property
    def evaluates_long(self) -> bool: ...
    def rows_of_step(self, step: int) -> list[int]: ...
    def finalize(self, folder: Path, done: bool, temporary: bool) -> None: ...
    def interrupted(self, signum: int) -> Interrupted: ...
    def last_good_checkpoint(self) -> str: ...


class SafetyCallback(TrainerCallback):  # type: ignore[misc]
    """Callback: checks for NaN loss and weights, graceful stops, complete checkpoints."""

    def __init__(self, trainer: Guarded) -> None:
        self.trainer, self.stopping, self.temporary = trainer, 0, False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.best_global_step:  # the current path, even if the run was moved
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            state.best_model_checkpoint = str(best) if best.is_dir() else None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.trainer.step_inputs.clear()
        self.trainer.not_finite.zero_()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        known = [float(self.trainer.not_finite), float(self.trainer.interrupts.received)]
        not_finite, signum = distributed.all_reduce_max(known, args.device)
        self.stopping = int(signum)
        if not_finite:
            rate = kwargs["lr_scheduler"].get_last_lr()[0]
            raise RunError(
                f"training: the loss is infinite or not a number at step {state.global_step + 1} (learning rate "
                f"{rate:.3g}), in the rows {self._rows(state.global_step)}; look at these rows, or lower "
                f"training.learning_rate; {self.trainer.last_good_checkpoint()}"
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        epoch_ends = control.should_training_stop or float(state.epoch or 0).is_integer()
        self.temporary = not control.should_save and not self.stopping and self._long_evaluation_follows(args, state)
        if (self.stopping or self.temporary) and not epoch_ends:
            control.should_save = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.temporary = self.temporary and not control.should_save
        if self.stopping or self.temporary:  # the evaluation of the epoch comes before the checkpoint
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        distributed.barrier()
        if not all(bool(torch.isfinite(p).all()) for p in kwargs["model"].parameters()):
            shutil.rmtree(folder, ignore_errors=True)
            raise RunError(
                f"training: weights are infinite or not numbers after step {state.global_step}; lower "
                f"training.learning_rate; {self.trainer.last_good_checkpoint()}"
            )
        self.trainer.finalize(folder, done=control.should_training_stop, temporary=self.temporary)
        if self.stopping:
            raise self.trainer.interrupted(self.stopping)

    def _long_evaluation_follows(self, args: TrainingArguments, state: TrainerState) -> bool:
        """Whether checkpoints are saved and the next step ends with an evaluation that can be long."""
        following = state.global_step + 1
        match args.eval_strategy.value:
            case "steps":
                evaluates = following % state.eval_steps == 0
            case "epoch":
                evaluates = following % self.trainer.steps_per_epoch == 0
            case _:
                return False
        wanted = args.save_strategy.value != "no" and self.trainer.evaluates_long
        return wanted and (evaluates or following >= state.max_steps)

    def _rows(self, step: int) -> str:
        """Return the locations of the examples of a step: `data/train.csv:3, 17, 40`."""
        places = sorted(
            {tuple(self.trainer.row_location(row).rsplit(":", 1)) for row in self.trainer.rows_of_step(step)}
        )
        files: dict[str, list[str]] = {}
        for place in places:
            files.setdefault(place[0], []).append(place[-1])
        return "; ".join(f"{name}:{', '.join(sorted(lines, key=len))}" for name, lines in files.items())


BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} steps, {elapsed} so far, {remaining} left{postfix}"


class Progress(TrainerCallback):  # type: ignore[misc]
    """Callback: a progress bar on a terminal, and a line for each evaluation (without evaluations for each epoch)."""

    bar: "tqdm[Any] | None" = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started, self.first_step = time.perf_counter(), state.global_step
        if state.is_world_process_zero:
            self.bar = tqdm(
                total=state.max_steps, initial=state.global_step, disable=None, desc="Training", leave=False,
                bar_format=BAR, smoothing=0.05,
            )  # fmt: skip

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        if self.bar is not None and "loss" in logs:
            speed = self._rows_a_second(args, state)
            self.bar.set_postfix_str(f"epoch {logs['epoch']:.1f}, loss {float(logs['loss']):.4f}, {speed:.0f} rows/s")

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: dict[str, Any],
        **kwargs: Any,
    ) -> None:  # fmt: skip
        values = {name.removeprefix("eval_"): value for name, value in numbers(metrics).items()}
        shown = [f"{k} {v:.4f}" for k, v in values.items() if k not in ("n", "epoch", "score") and "runtime" not in k]
        shown = [text for text in shown if "_per_second" not in text]
        self._line(args, state, [f"validation {', '.join(shown[:6])}"])

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if args.eval_strategy == "no":
            self._line(args, state, [])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _line(self, args: TrainingArguments, state: TrainerState, more: list[str]) -> None:
        if not state.is_world_process_zero:
            return
        losses = [f"training loss {log['loss']:.4f}" for log in state.log_history if "loss" in log]
        left = (time.perf_counter() - self.started) / max(state.global_step - self.first_step, 1)
        left *= state.max_steps - state.global_step
        speed = f"{self._rows_a_second(args, state):.0f} rows/s"
        text = ", ".join([*losses[-1:], *more, speed])
        tqdm.write(f"epoch {short(state.epoch or 0)}: {text} ({seconds(left)} left)", file=sys.stderr)

    def _rows_a_second(self, args: TrainingArguments, state: TrainerState) -> float:
        steps = (state.global_step - self.first_step) / (time.perf_counter() - self.started)
        return float(steps * args.train_batch_size * args.gradient_accumulation_steps * args.world_size)
