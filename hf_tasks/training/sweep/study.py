"""`sweep`: trials one after another, each a run directory, remembered in a database that outlives them.

DIR/study.db      Optuna's study: every trial's values, score, time (optuna-dashboard reads it)
DIR/sweep.json    what the sweep was begun with
DIR/trials/0007   the run of a trial; of the best ones it stays
DIR/logs/0007.txt what its training printed
DIR/best.yaml     the recipe with the best values; DIR/sweep.png


Giving up a training that is behind the others."""

import contextlib
import gc
import json
import math
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_tasks.core import distributed
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.files import write_json
from hf_tasks.core.signals import Interrupted
from hf_tasks.core.terminal import say, seconds
from hf_tasks.recipe import resolve, sections
from hf_tasks.recipe.search_space import Scalar, shown
from hf_tasks.runs import evaluation
from hf_tasks.runs.origin import Origin
from hf_tasks.runs.status import locked, read_origin
from hf_tasks.training.arguments import arguments
from hf_tasks.training.inputs import origin_of
from hf_tasks.training.sweep.plan import Plan, write_best

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

DATABASE, ORIGIN, BEST, PICTURE = "study.db", "sweep.json", "best.yaml", "sweep.png"
BEFORE_PRUNING = 5
"""Whole trainings whose median a training is compared with before any is given up."""


class OtherInputs(RunError):
    """A trial was trained on other data, or from another checkpoint, than those before it."""


@dataclass(frozen=True)
class Sweeping:
    """A sweep in its directory."""

    plan: Plan
    folder: Path
    study: "Study"
    metric: str
    """As the results of a run name it; "score": the first number there."""
    seed: int
    origin: Origin
    """What the sweep was begun with."""

    def go_on(self, timeout: float | None = None) -> None:
        """Every trial that is not done yet; none begins after `timeout` seconds. Raises Interrupted where training
        does, and RunError where the disk is full: the same sweep goes on later."""
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
        goes_on = f", {done} of them done before" if done else ""
        keys = ", ".join(f"{key} {values}" for key, values in plan.space.items())
        return f"{how}{goes_on}: {keys}\nwhat each prints is in {self.folder / 'logs'}"

    @property
    def done(self) -> list["FrozenTrial"]:
        """Trials that came to an end: complete, failed, or given up."""
        return [trial for trial in self.study.trials if trial.state.is_finished()]

    @property
    def has_begun(self) -> bool:
        """Whether any training has. (A training writes nothing before all is known to be right.)"""
        return bool(self.done) or self.run_folder(0).exists()

    @property
    def ranked(self) -> list["FrozenTrial"]:
        """Complete trials, the best first; of equals the earlier."""
        from optuna.study import StudyDirection

        sign = -1 if self.study.direction == StudyDirection.MAXIMIZE else 1
        whole = [trial for trial in self.done if trial.value is not None and trial.state.name == "COMPLETE"]
        return sorted(whole, key=lambda trial: (sign * float(trial.value or 0), trial.number))

    def values(self, trial: "FrozenTrial") -> dict[str, Scalar]:
        return {key: json.loads(text) for key, text in trial.user_attrs["values"].items()}

    def run_folder(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04}"

    def _next(self) -> "Trial":
        """The trial that was begun and not ended, or a new one. What is drawn depends on the trials before alone, not
        on interruptions."""
        import optuna

        begun = [trial for trial in self.study.trials if trial.state == optuna.trial.TrialState.RUNNING]
        if begun:
            return optuna.Trial(self.study, begun[0]._trial_id)
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(self.study.trials))
        return self.study.ask()

    def _try(self, trial: "Trial") -> None:
        import optuna

        values = {key: space.suggest(trial, key) for key, space in self.plan.space.items()}
        trial.set_user_attr("values", {key: json.dumps(value) for key, value in values.items()})
        began = time.monotonic()
        try:
            with self._logged(trial.number):
                found = self._trained(trial, values)
        except optuna.TrialPruned as e:
            self._ended(trial, "PRUNED", str(e))
        except (Interrupted, KeyboardInterrupt, OtherInputs):
            raise
        except Exception as e:
            if _is_of_the_disk(e) or not self.has_begun:
                raise
            self._ended(trial, "FAIL", _in_one_line(e))
        else:
            for name, value in found.items():
                trial.set_user_attr(name, value)
            trial.set_user_attr("wall", round(time.monotonic() - began, 1))
            self.study.tell(trial, found["value"])
        _free_memory()

    def _trained(self, trial: "Trial", values: Mapping[str, Scalar]) -> dict[str, Any]:
        """What is remembered of a trial. RunError where its score is no number."""
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
        """OtherInputs where the data or the checkpoint have changed since the sweep began; such a run is removed."""
        now = read_origin(run)
        if now and (changes := list(self.origin.input_changes(now))):
            shutil.rmtree(run)
            remedy = "its trials could not be compared; undo that and run the same command again, or begin another one"
            raise OtherInputs(*(f"{self.folder}: since this sweep began, {change}; {remedy}" for change in changes))

    def _ended(self, trial: "Trial", state: str, reason: str) -> None:
        import optuna

        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=optuna.trial.TrialState[state])

    def _keep_best(self, newest: int) -> None:
        """Only the best runs stay; the recipe of a trial that is the best so far is written."""
        kept = {self.run_folder(trial.number) for trial in self.ranked[: self.plan.settings.keep]}
        for folder in self.run_folder(0).parent.glob("[0-9]*"):
            if folder not in kept:
                shutil.rmtree(folder)
        if self.ranked and self.ranked[0].number == newest:
            self.write_best()

    def write_best(self) -> None:
        """The recipe of the best trial; there must be one."""
        best = self.ranked[0]
        score = f"{best.user_attrs['metric']} {best.value:.4f} on validation"
        write_best(self.plan, self.values(best), score, self.folder / BEST)

    @contextlib.contextmanager
    def _logged(self, number: int) -> Iterator[None]:
        """What a training prints goes to its log, and so does the whole of an error."""
        path = self.folder / "logs" / f"{number:04}.txt"
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as log, contextlib.redirect_stderr(log):
            try:
                yield
            except Exception:
                traceback.print_exc(file=log)
                raise

    def _line(self, trial: "FrozenTrial", pace: float) -> str:
        values = ", ".join(f"{key} {shown(value)}" for key, value in self.values(trial).items())
        outcome = f"{trial.value:.4f}" if trial.value is not None else trial.user_attrs["reason"]
        left = seconds(pace * (self.plan.trials - len(self.done)))
        best = "".join(f"best {first.value:.4f} (trial {first.number}), " for first in self.ranked[:1])
        return f"{len(self.done)} of {self.plan.trials}: trial {trial.number}, {values}: {outcome}; {best}{left} left"


def run_trials(
    path: Path,
    over: Sequence[str] = (),
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    *,
    output_dir: Path | None = None,
    timeout: str | None = None,
) -> Sweeping:
    """Train the trials of a sweep one after another; see `sweep`."""
    limit = timeout and sections.seconds(timeout)
    plan = Plan.of(path, overrides, over, options or {})
    folder = output_dir or Path("sweeps") / plan.recipe(plan.first()).name
    with opened(plan, folder) as sweeping:
        say(sweeping.title)
        sweeping.go_on(limit or None)
    if not sweeping.ranked:
        reasons = [f"trial {trial.number}: {trial.user_attrs['reason']}" for trial in sweeping.done]
        raise RunError(f"{folder}: no trial came to its end", *reasons)
    sweeping.write_best()
    return sweeping


@contextlib.contextmanager
def opened(plan: Plan, folder: Path) -> Iterator[Sweeping]:
    """The sweep in a directory for this process alone, new or begun before. RunError where it was begun with something
    else, RecipeError or DataError where its trainings could not begin."""
    _check_installed()
    import optuna

    if distributed.world_size() > 1:
        raise RunError("a sweep is one process; start it without a launcher of several")
    recipe, splits = resolve.resolve(plan.recipe(plan.first()), plan.path.parent)
    if splits.validation is None:
        raise RecipeError("data.validation_size: a sweep ranks by a validation part; give a size above 0")
    ranking = arguments(recipe, validated=True)
    with locked(folder):
        origin = _claim(plan, folder, origin_of(recipe, plan.path.parent))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=f"sqlite:///{folder / DATABASE}",
            study_name="sweep",
            direction="maximize" if ranking.greater_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
            load_if_exists=True,
        )
        for values in plan.grid or ():
            study.enqueue_trial(values, skip_if_exists=True)
        metric = (ranking.metric_for_best_model or "score").removeprefix("eval_")
        sweeping = Sweeping(plan, folder, study, metric, recipe.seed, origin)
        try:
            yield sweeping
        finally:
            if not sweeping.has_begun:
                shutil.rmtree(folder)


def _claim(plan: Plan, folder: Path, origin: Origin) -> Origin:
    """The origin of the sweep in a directory, written there by a new sweep. RunError where a different one is there."""
    space = {f"what is tried for {key}": str(values) for key, values in plan.space.items()}
    now = origin.without(plan.space.keys())
    now = replace(now, recipe={**now.recipe, **space})
    if (folder / ORIGIN).is_file():
        before = _begun_with(folder / ORIGIN)
        if changes := list(before.changes(now)):
            raise RunError(*(f"{folder}: this sweep was begun before, and {one}; undo that, or choose another "
                             "--output-dir" for one in changes))  # fmt: skip
        return before
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        raise RunError(f"{folder}: exists and is not a sweep; choose another --output-dir")
    write_json(folder / ORIGIN, asdict(now))
    return now


def _begun_with(file: Path) -> Origin:
    try:
        return Origin(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise RunError(f"{file}: cannot be read; choose another --output-dir, or remove that folder") from None


def _score(results: Mapping[str, Any], metric: str) -> tuple[str, float]:
    numbers = evaluation.numbers(dict(results))
    name = next(name for name in numbers if name not in ("n", "loss")) if metric == "score" else metric
    return name, float(numbers[name])


def _is_of_the_disk(error: Exception) -> bool:
    return isinstance(error, OSError) or isinstance(error.__cause__, OSError) or "are free on this disk" in str(error)


def _in_one_line(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, RunError | RecipeError) else f"{type(error).__name__}: {first}"


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _check_installed() -> None:
    if find_spec("optuna") is None:
        raise RunError("a sweep needs Optuna; install it with: pip install 'hf_tasks[sweep]'")


class Pruning(TrainerCallback):  # type: ignore[misc]
    """Tells the study the score of every evaluation, and ends the training where the study's pruner says so."""

    def __init__(self, trial: "Trial", metric: str) -> None:
        self.trial, self.metric = trial, metric
        self.told = set(trial.study.trials[trial.number].intermediate_values)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Raises optuna.TrialPruned. Scores are compared at the same thousandth of an epoch."""
        from optuna import TrialPruned

        step = round(1000 * (state.epoch or 0))
        if step not in self.told:
            self.trial.report(float(kwargs["metrics"][f"eval_{self.metric}"]), step)
        if self.trial.should_prune():
            raise TrialPruned(f"behind the others after epoch {state.epoch:.2g}")
