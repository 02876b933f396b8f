"""What training prints: one bar with loss, speed and time left on a terminal; a line per evaluation everywhere."""

import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks import distributed
from hf_tasks.evaluation import numbers


def say(text: str) -> None:
    """A line for the person who waits, from the main process; standard output is kept for results."""
    if distributed.is_main():
        print(text, file=sys.stderr, flush=True)


def seconds(value: float) -> str:
    """`8 s`, `2 min 5 s`, `1 h 4 min`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress(TrainerCallback):  # type: ignore[misc]
    """The training bar: epoch, loss, features per second, time left."""

    bar: "tqdm[Any] | None" = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started, self.first_step = time.perf_counter(), state.global_step
        if state.is_world_process_zero:
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                unit="step",
                disable=None,
                desc="Training",
                leave=False,
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        if self.bar is not None and "loss" in logs:
            steps = (state.global_step - self.first_step) / (time.perf_counter() - self.started)
            rate = steps * args.train_batch_size * args.gradient_accumulation_steps * args.world_size
            self.bar.set_postfix_str(
                f"epoch {logs['epoch']:.1f}, loss {float(logs['loss']):.4f}, {rate:.0f} features/s"
            )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero:
            return
        values = {name.removeprefix("eval_"): value for name, value in numbers(metrics).items()}
        shown = [f"{k} {v:.4f}" for k, v in values.items() if k not in ("n", "epoch", "score") and "runtime" not in k]
        shown = [text for text in shown if "_per_second" not in text]
        losses = [log["loss"] for log in state.log_history if "loss" in log]
        loss = f"training loss {losses[-1]:.4f}, " if losses else ""
        left = (time.perf_counter() - self.started) / max(state.global_step - self.first_step, 1)
        left *= state.max_steps - state.global_step
        tqdm.write(
            f"epoch {state.epoch or 0:.2g}: {loss}validation {', '.join(shown[:6])} ({seconds(left)} left)",
            file=sys.stderr,
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
