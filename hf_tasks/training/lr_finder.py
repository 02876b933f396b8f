"""`lr-find`: the learning rate range test (Smith 2017, https://arxiv.org/abs/1506.01186).

A short training whose learning rate grows by a constant factor at every step: the loss stays, falls, and rises again.
It uses the recipe's method, batches and precision, and the lower rates of some layers (`layer_decay`). The model is
discarded.
"""

import json
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RunError
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE, GREY, ORANGE
from hf_tasks.training import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
DIVERGED = 4.0
"""The test ends at this multiple of the lowest smoothed loss, as in fastai
(https://docs.fast.ai/callback.schedule.html)."""
SMOOTHING = 3.0
"""Standard deviation in steps of the Gaussian that smooths the losses."""
ROWS = 12
"""Number of lines of the table."""
FEWEST = 10
"""Minimum number of steps of a curve."""
TEST = (
    "training.eval_strategy=no", "training.save_strategy=no", "training.load_best_model_at_end=false",
    "training.metric_for_best_model=null", "training.logging_strategy=steps", "training.logging_steps=1",
    "training.lr_scheduler_type=constant", "training.warmup_steps=0", "training.report_to=none",
    "early_stopping=null", "data.test=null", "data.folds=null", "hub=null", "seeds=null", "sweep=null",
)  # fmt: skip
"""Overrides of the recipe during the range test."""


@dataclass(frozen=True)
class Curve:
    """The losses of a range test."""

    rates: Sequence[float]
    losses: Sequence[float]
    """Loss of each batch before the step with its rate."""

    @property
    def lowest(self) -> float:
        """The rate with the lowest smoothed loss, which is already too high for training."""
        return self.rates[int(self.smooth.argmin())]

    @property
    def suggested(self) -> float:
        """A tenth of the rate with the lowest loss, as fastai's `minimum`."""
        return float(f"{self.lowest / 10:.1e}")

    @property
    def steepest(self) -> float:
        """The rate where the smoothed loss falls fastest, before its lowest point."""
        falling = np.gradient(self.smooth)[: int(self.smooth.argmin()) + 1]
        return self.rates[int(falling.argmin())]

    @property
    def smooth(self) -> np.ndarray:
        """(steps,) the losses smoothed by a Gaussian, which has no lag in contrast to a running mean."""
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / SMOOTHING) ** 2)
        return np.asarray(weights @ np.array(self.losses) / weights.sum(1))


class _Done(Exception):
    """Raised to end the test."""


class RangeTest(TrainerCallback):  # type: ignore[misc]
    """Callback: sets the learning rate of every step and records its loss."""

    def __init__(self, lowest: float, highest: float, steps: int) -> None:
        self.lowest, self.growth, self.steps = lowest, (highest / lowest) ** (1 / (steps - 1)), steps
        self.shares: list[float] = []
        """The learning rate of each parameter group, relative to the highest one."""
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        groups = kwargs["optimizer"].param_groups
        if not self.rates:
            highest = max(group["lr"] for group in groups)
            self.shares = [group["lr"] / highest for group in groups]
        self.rates.append(self.lowest * self.growth ** len(self.rates))
        for group, share in zip(groups, self.shares, strict=True):
            group["lr"] = self.rates[-1] * share

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if "loss" not in kwargs["logs"]:
            return
        self.losses.append(float(kwargs["logs"]["loss"]))
        smooth = self.curve.smooth
        if len(self.losses) == self.steps or smooth[-1] > DIVERGED * smooth.min():
            raise _Done

    @property
    def curve(self) -> Curve:
        return Curve(self.rates[: len(self.losses)], self.losses)


def find(path: Path, overrides: Sequence[str] = ()) -> Curve:
    """Run the range test of a recipe file. Raises RecipeError, DataError or RunError."""
    test = RangeTest(LOWEST, HIGHEST, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        place = f"training.output_dir={json.dumps(str(Path(folder) / 'test'))}"
        recipe = recipes.load(path, [*overrides, *TEST, f"training.max_steps={STEPS}", place])
        try:
            train(recipe, recipe_dir=path.parent, callbacks=[test])
        except _Done:
            pass
        except RunError:  # the loss is not a number
            if len(test.losses) < FEWEST:
                raise
    return test.curve


def check_output(path: Path) -> None:
    """Raise RunError if the plot cannot be written."""
    if path.suffix not in (".png", ".svg"):
        raise RunError(f"--output {path}: the plot is a .png or .svg file; name one")
    if not path.parent.is_dir():
        raise RunError(f"--output {path}: there is no folder {path.parent}; create it first")


def lines(curve: Curve, recipe: str, overrides: Sequence[str] = ()) -> Iterator[str]:
    """Yield a table of the curve, the suggested rate and the command to train with it."""
    yield f"{'rate':>9}  loss (smoothed)"
    for i in np.linspace(0, len(curve.losses) - 1, ROWS).round().astype(int):
        yield f"{curve.rates[i]:>9.1e}  {curve.smooth[i]:.4f}"
    yield (
        f"lowest loss at {curve.lowest:.1e}, steepest at {curve.steepest:.1e}; suggested: {curve.suggested:.1e}, a "
        "tenth of the rate with the lowest loss"
    )
    if curve.lowest == curve.rates[len(curve.losses) - 1]:
        yield "the loss still falls at the end of the test: higher rates can work too; try some around this one"
    changes = [*overrides, f"training.learning_rate={curve.suggested:.1e}"]
    yield f"  hf-tasks train {shlex.quote(recipe)} {' '.join(f'--set {shlex.quote(one)}' for one in changes)}"


def draw(curve: Curve, path: Path) -> None:
    """Plot the loss over the learning rate, raw and smoothed, with the suggested rate."""

    def panel(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.plot(curve.rates, curve.losses, color=GREY, alpha=0.5, linewidth=0.8, label="each batch")
        axes.plot(curve.rates, curve.smooth, color=BLUE, linewidth=1.6, label="smoothed")
        axes.axvline(curve.suggested, color=ORANGE, linestyle="--", linewidth=1.2, label=f"{curve.suggested:.1e}")
        axes.set_ylim(top=1.5 * max(curve.losses[:FEWEST]))  # a diverging loss would flatten the rest
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.legend(frameon=False)

    plots.save(path, (6.4, 3.6), panel)
