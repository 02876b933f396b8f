"""Who else is told what a training logs: transformers' own callbacks, each with a place and a name for this run.

A training that goes on after an interruption goes on in the same record: RUN/trackers.json keeps its name.


The trackers' callbacks of transformers, each told what this training is called, and where its files belong."""

import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    MLflowCallback,
    TensorBoardCallback,
    TrackioCallback,
    WandbCallback,
)

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.files import write_json
from hf_tasks.core.section import did_you_mean
from hf_tasks.recipe import Recipe

LIBRARIES = ("tensorboard", "wandb", "mlflow", "trackio")
"""Those that `pip install 'hf_tasks[trackers]'` brings; transformers knows more."""
UNLISTED = ("azure_ml", "flyte")
"""Those of which transformers does not tell whether they are installed."""
TRACKERS = "trackers.json"


def named(recipe: Recipe) -> list[str]:
    """The trackers that the recipe names. RecipeError where one is unknown or not installed."""
    from transformers.integrations.integration_utils import (
        INTEGRATION_TO_CALLBACK,
        get_available_reporting_integrations,
    )

    given = recipe.training.given().get("report_to") or "none"
    names = [given] if isinstance(given, str) else list(given)
    names = [] if names == ["none"] else names
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(LIBRARIES)
            raise RecipeError(
                f'training.report_to: there is no tracker "{name}"{did_you_mean(name, LIBRARIES)} (among them: {known})'
            )
        if name in LIBRARIES and find_spec(name) is None:
            raise RecipeError(f"training.report_to: {name} is not installed; pip install 'hf_tasks[trackers]'")
        if name not in (*LIBRARIES, *UNLISTED, *get_available_reporting_integrations()):
            raise RecipeError(f"training.report_to: the library of {name} is not installed; install it with pip")
    return names


@contextmanager
def callbacks(recipe: Recipe) -> "Iterator[list[TrainerCallback]]":
    """The callbacks of the named trackers; their records end with it. RecipeError where one cannot be made."""
    names = named(recipe)
    if not names:
        yield []
        return

    try:
        made = [callback(name, recipe.output_dir, recipe.name) for name in names]
    except (RuntimeError, ImportError, ValueError) as e:
        raise RecipeError(f"training.report_to: {str(e).splitlines()[0]}") from e
    try:
        yield made
    finally:
        close(made)


def identity(run: Path, name: str) -> dict[str, str]:
    """What the trackers call this training: its `name`, and the ids that they gave; the same after an interruption."""
    file = run / TRACKERS
    if not file.is_file():
        write_json(file, {"name": f"{name}-{secrets.token_hex(3)}"})
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def remember(run: Path, **ids: str) -> None:
    write_json(run / TRACKERS, json.loads((run / TRACKERS).read_text(encoding="utf-8")) | ids)


@contextmanager
def beginning(tracker: str) -> Iterator[None]:
    """What goes wrong as a record is begun (no login, no server, no store) as one RunError. Standard output is kept for
    results: what is printed goes beside it."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except Exception as e:
        text = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise RunError(f"training.report_to: {tracker} cannot begin: {text}") from e


class TensorBoard(TensorBoardCallback):  # type: ignore[misc]
    """Writes to RUN/tensorboard, or where TENSORBOARD_LOGGING_DIR says. What a lost process wrote after its last
    checkpoint does not count twice."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(run / "tensorboard")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if state.is_world_process_zero:
            with beginning("tensorboard"):
                self.tb_writer = SummaryWriter(self.folder, purge_step=state.global_step + 1)
        super().on_train_begin(args, state, control, **kwargs)

    def close(self) -> None:
        if self.tb_writer:
            self.tb_writer.close()


class Wandb(WandbCallback):  # type: ignore[misc]
    """One run of the project `training.project`; its files are in RUN/wandb, or where WANDB_DIR says."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any, **kwargs: Any) -> None:
        import wandb

        if state.is_world_process_zero and wandb.run is None:
            name = identity(self.run, self.name)["name"]
            project = os.environ.get("WANDB_PROJECT") or args.project
            folder = os.environ.get("WANDB_DIR") or str(self.run)
            with beginning("wandb"):
                wandb.init(project=project, id=name, name=args.run_name or name, dir=folder, resume="allow")
            self.began = True
        super().setup(args, state, model, **kwargs)

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        super().on_train_end(args, state, control, **kwargs)
        self.close()

    def close(self) -> None:
        import wandb

        if self.began:
            wandb.finish()
            self.began = False


class MLflow(MLflowCallback):  # type: ignore[misc]
    """One run of the experiment `training.project`, in the store that MLFLOW_TRACKING_URI names."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any) -> None:
        import mlflow

        if state.is_world_process_zero and mlflow.active_run() is None:
            known = identity(self.run, self.name)
            with beginning("mlflow"):
                mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or args.project)
                begun = mlflow.start_run(run_id=known.get("mlflow"), run_name=args.run_name or known["name"])
            remember(self.run, mlflow=begun.info.run_id)
            self.began = True
        super().setup(args, state, model)

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        super().on_train_end(args, state, control, **kwargs)
        self.close()

    def close(self) -> None:
        import mlflow

        if self.began:
            mlflow.end_run()
            self.began = False


class Trackio(TrackioCallback):  # type: ignore[misc]
    """One run of the project `training.project`, in Trackio's own folder, TRACKIO_DIR."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero and args.run_name is None:
            args.run_name = identity(self.run, self.name)["name"]
        with beginning("trackio"):
            super().setup(args, state, model, **kwargs)
        self.began = state.is_world_process_zero

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        with redirect_stdout(sys.stderr):
            super().on_train_end(args, state, control, **kwargs)
        self.began = False

    def close(self) -> None:
        import trackio

        if self.began:
            with redirect_stdout(sys.stderr):
                trackio.finish()  # type: ignore[no-untyped-call]
            self.began = False


def callback(tracker: str, run: Path, name: str) -> TrainerCallback:
    """`run`: the run's directory; `name`: that of its recipe."""
    ours = {"tensorboard": TensorBoard, "wandb": Wandb, "mlflow": MLflow, "trackio": Trackio}
    return ours[tracker](run, name) if tracker in ours else INTEGRATION_TO_CALLBACK[tracker]()


def close(callbacks: Sequence[TrainerCallback]) -> None:
    """End the records of a training that did not come to its end."""
    for one in callbacks:
        match one:
            case TensorBoard() | Wandb() | MLflow() | Trackio():
                one.close()
