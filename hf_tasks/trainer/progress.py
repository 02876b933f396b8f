"""What training prints: one bar with loss, speed and time left on a terminal; a line per evaluation everywhere."""

import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks import distributed
from hf_tasks.evaluation import numbers
from hf_tasks.show import printable


def say(text: str) -> None:
    """A line for the person who waits, from the main process; standard output is kept for results."""
    if distributed.is_main():
        print(printable(text), file=sys.stderr, flush=True)


def seconds(value: float) -> str:
    """`8 s`, `2 min 5 s`, `1 h 4 min`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def short(epoch: float) -> str:
    """`3`, `0.25`."""
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} steps, {elapsed} so far, {remaining} left{postfix}"


class Progress(TrainerCallback):  # type: ignore[misc]
    """On a terminal a bar: steps, time left, epoch, loss, rows a second. Everywhere a line for each evaluation; where
    there are none, for each epoch."""

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
