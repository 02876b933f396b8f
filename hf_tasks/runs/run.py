"""Run: the directory that a training writes.

model.safetensors, config.json, tokenizer files  the model; for methods that freeze the checkpoint only the trained
                                                 parameters (see runs/model_files.py)
recipe.yaml                                      the resolved recipe with labels, metrics and thresholds
results.json, predictions/SPLIT.jsonl            metrics, facts about data and training; predictions
counts/SPLIT.npz                                 statistics of each example from which the scores follow
manifest.json                                    sizes and hashes of these files (see runs/manifest.py)
training_log.jsonl, environment.json             log; machine and versions
train_stats.json                                 training-set statistics that metrics need
README.md                                        the model card
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from hf_tasks import data
from hf_tasks import recipe as recipes
from hf_tasks.core import hardware
from hf_tasks.core.errors import DataError, RunError
from hf_tasks.core.files import top_probabilities
from hf_tasks.core.untrusted import read_json
from hf_tasks.data import DataSplit
from hf_tasks.decoding import Decoding
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.runs import (
    evaluation,
    input_files,
    json_files,
    manifest,
    mbr_baselines,
    model_files,
    trained_here,
)
from hf_tasks.runs.predictions import Predictions
from hf_tasks.runs.scores import Scores, main_value, to_frame, to_html
from hf_tasks.runs.status import STATUS, clean_up, read_origin
from hf_tasks.tasks import EncodedSplit, FewShotClassification

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn
    from transformers import PreTrainedTokenizerBase

RECIPE, RESULTS, TRAIN_STATS, LOG, ENVIRONMENT, CARD = (
    "recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json", "README.md",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Run:
    """A trained model with its recipe and results in the directory `path`."""

    path: Path
    recipe: Recipe
    dtype: Literal["float32", "bfloat16"] = field(default="float32", kw_only=True)
    """The precision of the weights and of the model's computations."""

    @classmethod
    def load(
        cls, path: str | Path, overrides: Sequence[str] = (), *, dtype: Literal["float32", "bfloat16"] = "float32"
    ) -> Self:
        """Load the run in a directory. Raises RunError if there is no run or it is incomplete.

        `overrides`: `decoding.key=value` strings that change how text is generated. `dtype`: bfloat16 is faster where
        the hardware computes it, and rounds.
        """
        path = Path(path)
        for kind in ("seed", "fold"):
            if several := sorted(path.glob(f"{kind}-*/{RECIPE}")):
                first = several[0].parent
                raise RunError(f"{path}: contains the runs of several {kind}s; name one of them, e.g. {first}")
        clean_up(path)
        if not (path / RECIPE).is_file():
            raise RunError(f"{path}: there is no run (no {RECIPE}); give the directory that `train` wrote")
        if (path / RESULTS).is_file():
            _check_results(path)
        manifest.check(path)
        run = cls(path, recipes.validate(yaml_file.read_with_decoding(path / RECIPE, overrides)), dtype=dtype)
        unfinished = (path / STATUS).is_file() and not (path / RESULTS).is_file()
        if unfinished or not model_files.is_saved(run.recipe, path) or not run.recipe.task.metrics:
            raise RunError(f"{path}: this training has not finished and has no model; run its command again to resume")
        return run

    @staticmethod
    def is_finished(path: Path) -> bool:
        """Whether a directory contains a run that was trained, saved and evaluated."""
        return Run.is_ours(path) and (path / RESULTS).is_file()

    @staticmethod
    def is_ours(path: Path) -> bool:
        """Whether a directory was written by a training."""
        if read_origin(path) is not None:
            return True
        try:
            return "hf_tasks" in json_files.read(path / ENVIRONMENT)["packages"]
        except (RunError, KeyError):
            return False

    # -- the model

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        return load_tokenizer(model_files.config_of(self.recipe, self.path), self.recipe.task)

    @cached_property
    def model(self) -> "nn.Module":
        """The trained model, on the accelerator if there is one."""
        import torch

        hardware.use_fast_matmul()
        model = model_files.load(self.recipe, self.path, self.tokenizer)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return model.to(device, getattr(torch, self.dtype)).eval()

    @cached_property
    def support(self) -> list[Any]:
        """The model's outputs of the labelled examples that inputs are compared with; [] for most tasks."""
        return evaluation.support_of(self.model, self.recipe.task, self.tokenizer)

    # -- using it

    def predict(
        self, inputs: Any = None, *, top: int | None = None, batch_size: int = evaluation.BATCH_SIZE, **columns: Any
    ) -> Any:
        """Predict one input, or several: these return a list with `.to_frame()`. Raises DataError.

        `inputs`: a string, a tuple of strings for tasks with pairs, a dict of columns; or several of them: a list, a
        pandas Series or DataFrame, a datasets.Dataset, or the pathlib.Path of a file. One input can also be given as
        keywords. `top`: keep only the highest probabilities. `batch_size`: number of features computed at a time.

        >>> run.predict("I lost my card")
        {"label": "lost_or_stolen_card", "score": 0.97, "probabilities": {...}}
        >>> run.predict(["I lost my card", "Top up failed"], top=3).to_frame()
        """
        if (inputs is None) == (not columns):
            raise DataError("predict takes inputs or keywords: run.predict(texts), or run.predict(text=...)")
        values, task = columns if inputs is None else inputs, self.recipe.task
        split = self._inputs(values, labelled=False)
        predicted = self.predict_split(split, batch_size=batch_size).predictions
        predicted = [top_probabilities(row, top) for row in predicted] if top else predicted
        index = getattr(values, "index", None)  # of a DataFrame or Series; a method of lists
        return (
            predicted[0]
            if data.is_one_row(values, task)
            else Predictions(predicted, split.rows_read, None if callable(index) else index)
        )

    def with_examples(self, inputs: Any) -> Self:
        """Return this run with more labelled examples that texts are compared with, of known labels or of new ones.

        `inputs`: as for `evaluate`. Nothing is trained or written. Raises DataError, and RunError for a run whose task
        compares with nothing.
        """
        task = self.recipe.task
        if not isinstance(task, FewShotClassification):
            raise RunError(f"{self.path}: {task.name} does not compare texts with examples; train it again with them")
        more = task.with_examples(list(self._inputs(inputs, labelled=True).rows()))
        run = type(self)(self.path, self.recipe.model_copy(update={"task": more}))
        vars(run).update(model=self.model, tokenizer=self.tokenizer)
        return run

    def _inputs(self, values: Any, *, labelled: bool) -> DataSplit:
        """Convert Python objects, or the file at a Path, to examples."""
        task, section = self.recipe.task, self.recipe.data
        match values:
            case DataSplit():
                return values
            case Path():
                return input_files.read(str(values), task, section, labelled=labelled, keep_rows=True)
            case _:
                return data.read_inputs(values, task, section.columns, labelled=labelled)

    def predict_split(
        self, split: DataSplit, description: str | None = None, *, batch_size: int = evaluation.BATCH_SIZE
    ) -> evaluation.Predicted:
        """Predict a split, with a progress bar if `description` is given."""
        task = self.recipe.task
        encoded = evaluation.encode(split.examples, task, self.tokenizer)
        return evaluation.predict(
            self.model, task, encoded, self.tokenizer, decoding=self.recipe.decoding, batch_size=batch_size,
            description=description, support=self.support,
        )  # fmt: skip

    def evaluate(self, inputs: Any) -> Scores:
        """Compute the task's metrics on labelled inputs, with 95 % intervals. Raises DataError.

        `inputs`: a list of dicts, a list of tuples such as (text, label), a pandas DataFrame, a datasets.Dataset, or
        the pathlib.Path of a file.
        """
        task = self.recipe.task
        split = data.check(self._inputs(inputs, labelled=True), task, self.recipe.data.bad_rows)
        encoded = evaluation.encode(split.examples, task, self.tokenizer)
        return Scores(self._measured(encoded, "Evaluating", scores_only=True)[1])

    def _measured(
        self, encoded: EncodedSplit, description: str, *, scores_only: bool = False
    ) -> tuple[evaluation.Predicted, dict[str, Any]]:
        """Evaluate on a labelled split: predictions, and metrics with their intervals."""
        task, decoding = self.recipe.task, self.recipe.decoding

        def generate(split: EncodedSplit, decoding: Decoding, description: str) -> evaluation.Predicted:
            return evaluation.predict(
                self.model, task, split, self.tokenizer, decoding=decoding, description=description
            )

        predicted = evaluation.predict(
            self.model, task, encoded, self.tokenizer, scores_only=scores_only,
            decoding=mbr_baselines.with_candidates(decoding), description=description, support=self.support,
        )  # fmt: skip
        values = evaluation.scores(task, predicted, encoded.examples, self.train_stats, intervals=True)
        predicted, more = mbr_baselines.report(
            task, decoding, generate, encoded, predicted, self.train_stats, description
        )
        return predicted, values | more

    @cached_property
    def train_stats(self) -> dict[str, Any]:
        """The training-set statistics that metrics need."""
        return json_files.read(self.path / TRAIN_STATS)

    @cached_property
    def results(self) -> dict[str, Any]:
        """The content of results.json: a dict of metrics for each split, and facts about data and training."""
        return json_files.read(self.path / RESULTS)

    @property
    def metrics(self) -> dict[str, Scores]:
        """The metrics of each split after training: `run.metrics["test"]["accuracy"]`."""
        return {name: Scores(self.results[name]) for name in ("validation", "test") if name in self.results}

    def to_frame(self) -> "DataFrame":
        """Return the metrics of all splits as a pandas DataFrame: split, metric, value, low, high."""
        return to_frame(self.metrics)

    def __repr__(self) -> str:
        values = [f"{split} {main_value(self.recipe.task.metrics, scores)}" for split, scores in self._known().items()]
        return f"<Run {self.path}: {self.recipe.task.name}, {', '.join(values) or 'not measured'}>"

    def _repr_html_(self) -> str:
        return to_html(f"{self.path}: {self.recipe.task.name}, {self.recipe.model.name_or_path}", self._known())

    def _known(self) -> dict[str, Scores]:
        """Return the metrics, {} for a run that has not been evaluated yet."""
        return self.metrics if (self.path / RESULTS).is_file() else {}

    @property
    def trained_here(self) -> bool:
        """Whether the run was trained on this machine and has not been changed since."""
        return trained_here.is_trained_here(self.path)

    @property
    def recipe_folder(self) -> Path | None:
        """The folder of the recipe file at the time of training; None for a run that was trained elsewhere."""
        folder = json_files.read(self.path / ENVIRONMENT).get("recipe_folder") if self.trained_here else None
        return Path(folder) if folder else None


def _check_results(path: Path) -> None:
    """Raise RunError if the results or other displayed values of a finished run cannot be read."""
    if not holds_values(path / RESULTS):
        raise RunError(f"{path / RESULTS}: is empty or damaged; restore it, or train the run again with --overwrite")
    for name in (RESULTS, ENVIRONMENT, TRAIN_STATS):
        if (path / name).exists():
            json_files.read(path / name)


def holds_values(path: Path) -> bool:
    """Whether a JSON file can be read and is not empty."""
    try:
        return bool(read_json(path))
    except (OSError, ValueError):
        return False
