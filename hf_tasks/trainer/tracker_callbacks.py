"""The trackers' callbacks of transformers, each told what this training is called, and where its files belong."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
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

from hf_tasks.errors import RunError
from hf_tasks.trainer.trackers import identity, remember


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
