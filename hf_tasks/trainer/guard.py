"""What must happen between the steps of a SafeTrainer: sound losses, orderly stops, whole checkpoints."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks import distributed
from hf_tasks.errors import RunError

if TYPE_CHECKING:
    from hf_tasks.trainer.safe_trainer import SafeTrainer


class Guard(TrainerCallback):  # type: ignore[misc]
    def __init__(self, trainer: "SafeTrainer") -> None:
        self.trainer, self.stopping, self.passing = trainer, 0, False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.best_global_step:  # where it is now, even if the run was moved
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            state.best_model_checkpoint = str(best) if best.is_dir() else None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.trainer.taken.clear()
        self.trainer.not_finite.zero_()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        known = [float(self.trainer.not_finite), float(self.trainer.interrupts.received)]
        not_finite, signum = distributed.largest(known, args.device)
        self.stopping = int(signum)
        if not_finite:
            rate = kwargs["lr_scheduler"].get_last_lr()[0]
            raise RunError(
                f"training: the loss is infinite or not a number at step {state.global_step + 1} (learning rate "
                f"{rate:.3g}), in the rows {self._rows(state.global_step)}; look at these rows, or lower "
                f"training.learning_rate; {self.trainer.last_sound()}"
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        epoch_ends = control.should_training_stop or float(state.epoch or 0).is_integer()
        self.passing = not control.should_save and not self.stopping and self._long_evaluation_follows(args, state)
        if (self.stopping or self.passing) and not epoch_ends:
            control.should_save = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.passing = self.passing and not control.should_save
        if self.stopping or self.passing:  # only now: the evaluation of the epoch belongs before the checkpoint
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        distributed.barrier()
        if not all(bool(torch.isfinite(p).all()) for p in kwargs["model"].parameters()):
            shutil.rmtree(folder, ignore_errors=True)
            raise RunError(
                f"training: weights are infinite or not numbers after step {state.global_step}; lower "
                f"training.learning_rate; {self.trainer.last_sound()}"
            )
        self.trainer.seal(folder, done=control.should_training_stop, passing=self.passing)
        if self.stopping:
            raise self.trainer.interrupted(self.stopping)

    def _long_evaluation_follows(self, args: TrainingArguments, state: TrainerState) -> bool:
        """Whether the next step ends with an evaluation that may be long, and checkpoints are wanted at all."""
        following = state.global_step + 1
        match args.eval_strategy.value:
            case "steps":
                evaluates = following % state.eval_steps == 0
            case "epoch":
                evaluates = following % self.trainer.steps_an_epoch == 0
            case _:
                return False
        wanted = args.save_strategy.value != "no" and self.trainer.evaluates_long
        return wanted and (evaluates or following >= state.max_steps)

    def _rows(self, step: int) -> str:
        """`data/train.csv:3, 17, 40`: the rows of a step, each file named once."""
        places = sorted({tuple(self.trainer.locate(row).rsplit(":", 1)) for row in self.trainer.rows_of_step(step)})
        files: dict[str, list[str]] = {}
        for place in places:
            files.setdefault(place[0], []).append(place[-1])
        return "; ".join(f"{name}:{', '.join(sorted(lines, key=len))}" for name, lines in files.items())
