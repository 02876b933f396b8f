"""Experiment trackers (TensorBoard, W&B, MLflow, Trackio): transformers' callbacks with a name and folder per run.

A resumed training continues the same record: RUN/trackers.json keeps its ids.
"""

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
"""Trackers that `pip install 'hf_tasks[trackers]'` installs; transformers has more."""
UNLISTED = ("azure_ml", "flyte")
"""Trackers that transformers does not list as installed."""
TRACKERS = "trackers.json"


def named(recipe: Recipe) -> list[str]:
    """Return the recipe's trackers. Raises RecipeError if one is unknown or not installed."""
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
    """Context manager that gives the trackers' callbacks and closes their records. Raises RecipeError."""
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
    """Return the `name` of this training in the trackers and their ids, which a resumed training keeps."""
    file = run / TRACKERS
    if not file.is_file():
        write_json(file, {"name": f"{name}-{secrets.token_hex(3)}"})
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def remember(run: Path, **ids: str) -> None:
    write_json(run / TRACKERS, json.loads((run / TRACKERS).read_text(encoding="utf-8")) | ids)


@contextmanager
def start_errors(tracker: str) -> Iterator[None]:
    """Context manager that turns errors at the start of a record (login, server) into RunError.

    Output of the tracker goes to standard error, since standard output is only for results.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except Exception as e:
        text = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise RunError(f"training.report_to: {tracker} cannot start: {text}") from e


class TensorBoard(TensorBoardCallback):  # type: ignore[misc]
    """TensorBoard in RUN/tensorboard or TENSORBOARD_LOGGING_DIR; a resume removes values after the checkpoint."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(run / "tensorboard")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if state.is_world_process_zero:
            with start_errors("tensorboard"):
                self.tb_writer = SummaryWriter(self.folder, purge_step=state.global_step + 1)
        super().on_train_begin(args, state, control, **kwargs)

    def close(self) -> None:
        if self.tb_writer:
            self.tb_writer.close()


class Wandb(WandbCallback):  # type: ignore[misc]
    """Weights & Biases: a run of the project `training.project`, with files in RUN/wandb or WANDB_DIR."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any, **kwargs: Any) -> None:
        import wandb

        if state.is_world_process_zero and wandb.run is None:
            name = identity(self.run, self.name)["name"]
            project = os.environ.get("WANDB_PROJECT") or args.project
            folder = os.environ.get("WANDB_DIR") or str(self.run)
            with start_errors("wandb"):
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
    """MLflow: a run of the experiment `training.project` in the store MLFLOW_TRACKING_URI."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any) -> None:
        import mlflow

        if state.is_world_process_zero and mlflow.active_run() is None:
            known = identity(self.run, self.name)
            with start_errors("mlflow"):
                mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or args.project)
                started = mlflow.start_run(run_id=known.get("mlflow"), run_name=args.run_name or known["name"])
            remember(self.run, mlflow=started.info.run_id)
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
    """Trackio: a run of the project `training.project` in the folder TRACKIO_DIR."""

    def __init__(self, run: Path, name: str) -> None:
        super().__init__()
        self.run, self.name, self.began = run, name, False

    def setup(self, args: TrainingArguments, state: Any, model: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero and args.run_name is None:
            args.run_name = identity(self.run, self.name)["name"]
        with start_errors("trackio"):
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
    """Make the callback of a tracker; `run`: the run's directory; `name`: the recipe's name."""
    ours = {"tensorboard": TensorBoard, "wandb": Wandb, "mlflow": MLflow, "trackio": Trackio}
    return ours[tracker](run, name) if tracker in ours else INTEGRATION_TO_CALLBACK[tracker]()


def close(callbacks: Sequence[TrainerCallback]) -> None:
    """Close the records of an interrupted training."""
    for one in callbacks:
        match one:
            case TensorBoard() | Wandb() | MLflow() | Trackio():
                one.close()
