"""`sweep`: run trials one after another and record them in a database, so that the sweep can be resumed.

DIR/study.db      Optuna's study: values, score and time of every trial (for optuna-dashboard)
DIR/sweep.json    the origin of the sweep
DIR/trials/0007   the run of a trial; only the best ones are kept
DIR/logs/0007.txt the output of its training
DIR/best.yaml     the recipe with the best values; DIR/sweep.png
"""

import gc
import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.signals import Interrupted
from hf_tasks.core.terminal import say, seconds
from hf_tasks.recipe.search_space import Scalar, shown
from hf_tasks.runs import evaluation
from hf_tasks.runs.origin import Origin
from hf_tasks.runs.status import read_origin
from hf_tasks.training.log_file import logged
from hf_tasks.training.sweep.plan import Plan, write_best

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

DATABASE, ORIGIN, BEST, PICTURE = "study.db", "sweep.json", "best.yaml", "sweep.png"
BEFORE_PRUNING = 5
"""Number of complete trials before any trial is pruned."""


class OtherInputs(RunError):
    """A trial was trained on other data or from another checkpoint than those before it."""


@dataclass(frozen=True)
class Sweeping:
    """A sweep in its directory."""

    plan: Plan
    folder: Path
    study: "Study"
    metric: str
    """Name of the metric in a run's results; "score": the first number."""
    seed: int
    origin: Origin
    """The inputs of the sweep at its start."""

    def run(self, timeout: float | None = None) -> None:
        """Run the remaining trials; none is started after `timeout` seconds.

        Raises Interrupted after a signal and RunError for a full disk; the sweep can then be resumed.
        """
        began, before = time.monotonic(), len(self.done)
        while len(self.done) < self.plan.trials:
            if timeout is not None and time.monotonic() - began >= timeout:
                say(f"time is up: {len(self.done)} of {self.plan.trials} trials are done")
                return
            trial = self._next()
            self._try(trial)
            self._keep_best(trial.number)
            pace = (time.monotonic() - began) / (len(self.done) - before)
            say(self._line(self.study.trials[trial.number], pace))

    @property
    def title(self) -> str:
        plan, done = self.plan, len(self.done)
        how = f"all {plan.trials} combinations" if plan.grid is not None else f"{plan.trials} trials, by TPE"
        resumed = f", {done} of them done before" if done else ""
        keys = ", ".join(f"{key} {values}" for key, values in plan.space.items())
        return f"{how}{resumed}: {keys}\ntheir output is in {self.folder / 'logs'}"

    @property
    def done(self) -> list["FrozenTrial"]:
        """Trials that have ended: complete, failed or pruned."""
        return [trial for trial in self.study.trials if trial.state.is_finished()]

    @property
    def has_started(self) -> bool:
        """Whether a training has started, after all checks."""
        return bool(self.done) or self.run_folder(0).exists()

    @property
    def ranked(self) -> list["FrozenTrial"]:
        """Complete trials, the best first; of equal scores the earlier first."""
        from optuna.study import StudyDirection

        sign = -1 if self.study.direction == StudyDirection.MAXIMIZE else 1
        complete = [trial for trial in self.done if trial.value is not None and trial.state.name == "COMPLETE"]
        return sorted(complete, key=lambda trial: (sign * float(trial.value or 0), trial.number))

    def values(self, trial: "FrozenTrial") -> dict[str, Scalar]:
        return {key: json.loads(text) for key, text in trial.user_attrs["values"].items()}

    def run_folder(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04}"

    def _next(self) -> "Trial":
        """Return the interrupted trial or a new one; its values depend only on earlier trials, not on interruptions."""
        import optuna

        running = [trial for trial in self.study.trials if trial.state == optuna.trial.TrialState.RUNNING]
        if running:
            return optuna.Trial(self.study, running[0]._trial_id)
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(self.study.trials))
        return self.study.ask()

    def _try(self, trial: "Trial") -> None:
        import optuna

        values = {key: space.suggest(trial, key) for key, space in self.plan.space.items()}
        trial.set_user_attr("values", {key: json.dumps(value) for key, value in values.items()})
        began = time.monotonic()
        try:
            with logged(self.folder / "logs" / f"{trial.number:04}.txt"):
                found = self._trained(trial, values)
        except optuna.TrialPruned as e:
            self._ended(trial, "PRUNED", str(e))
        except (Interrupted, KeyboardInterrupt, OtherInputs):
            raise
        except Exception as e:
            if _is_disk_error(e) or not self.has_started:
                raise
            self._ended(trial, "FAIL", _in_one_line(e))
        else:
            for name, value in found.items():
                trial.set_user_attr(name, value)
            trial.set_user_attr("wall", round(time.monotonic() - began, 1))
            self.study.tell(trial, found["value"])
        _free_memory()

    def _trained(self, trial: "Trial", values: Mapping[str, Scalar]) -> dict[str, Any]:
        """Train a trial and return its score and facts. Raises RunError if the score is not a number."""
        from hf_tasks.training import train

        recipe = self.plan.recipe(values, self.run_folder(trial.number))
        watchers = [Pruning(trial, self.metric)] if self.plan.settings.prune else []
        run = train(recipe, recipe_dir=self.plan.path.parent, callbacks=watchers)
        self._check_inputs(self.run_folder(trial.number))
        results = run.results["validation"]
        name, value = _score(results, self.metric)
        if not math.isfinite(value):
            raise RunError(f"{name} is not a number")
        return {
            "metric": name,
            "value": value,
            "interval": results.get("intervals", {}).get(name),
            "n": results["n"],
            "seconds": run.results["training"]["seconds"],
        }

    def _check_inputs(self, run: Path) -> None:
        """Raise OtherInputs and remove the run if the data or the checkpoint have changed since the start."""
        now = read_origin(run)
        if now and (changes := list(self.origin.input_changes(now))):
            shutil.rmtree(run)
            remedy = "its trials could not be compared; undo that and run the same command again, or start another one"
            raise OtherInputs(
                *(f"{self.folder}: since the start of this sweep, {change}; {remedy}" for change in changes)
            )

    def _ended(self, trial: "Trial", state: str, reason: str) -> None:
        import optuna

        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=optuna.trial.TrialState[state])

    def _keep_best(self, newest: int) -> None:
        """Remove all but the best runs; write the recipe of the newest trial if it is the best."""
        kept = {self.run_folder(trial.number) for trial in self.ranked[: self.plan.settings.keep]}
        for folder in self.run_folder(0).parent.glob("[0-9]*"):
            if folder not in kept:
                shutil.rmtree(folder)
        if self.ranked and self.ranked[0].number == newest:
            self.write_best()

    def write_best(self) -> None:
        """Write the recipe of the best trial; there must be a complete one."""
        best = self.ranked[0]
        score = f"{best.user_attrs['metric']} {best.value:.4f} on validation"
        write_best(self.plan, self.values(best), score, self.folder / BEST)

    def _line(self, trial: "FrozenTrial", pace: float) -> str:
        values = ", ".join(f"{key} {shown(value)}" for key, value in self.values(trial).items())
        outcome = f"{trial.value:.4f}" if trial.value is not None else trial.user_attrs["reason"]
        left = seconds(pace * (self.plan.trials - len(self.done)))
        best = "".join(f"best {first.value:.4f} (trial {first.number}), " for first in self.ranked[:1])
        return f"{len(self.done)} of {self.plan.trials}: trial {trial.number}, {values}: {outcome}; {best}{left} left"


def _score(results: Mapping[str, Any], metric: str) -> tuple[str, float]:
    numbers = evaluation.numbers(dict(results))
    name = next(name for name in numbers if name not in ("n", "loss")) if metric == "score" else metric
    return name, float(numbers[name])


def _is_disk_error(error: Exception) -> bool:
    return isinstance(error, OSError) or isinstance(error.__cause__, OSError) or "are free on this disk" in str(error)


def _in_one_line(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, RunError | RecipeError) else f"{type(error).__name__}: {first}"


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Pruning(TrainerCallback):  # type: ignore[misc]
    """Callback: reports the score of every evaluation, and stops the training if the study's pruner says so."""

    def __init__(self, trial: "Trial", metric: str) -> None:
        self.trial, self.metric = trial, metric
        self.reported = set(trial.study.trials[trial.number].intermediate_values)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report a score, with thousandths of an epoch as the step. Raises optuna.TrialPruned."""
        from optuna import TrialPruned

        step = round(1000 * (state.epoch or 0))
        if step not in self.reported:
            self.trial.report(float(kwargs["metrics"][f"eval_{self.metric}"]), step)
        if self.trial.should_prune():
            raise TrialPruned(f"below the median after epoch {state.epoch:.2g}")
