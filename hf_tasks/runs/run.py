"""A run: one directory that is what was trained, what was measured, and what can be shared.

model.safetensors, config.json, tokenizer files    what transformers loads; of methods that leave the checkpoint as it
                                                   is, the trained parameters alone (see artifacts.py)
recipe.yaml                                        the resolved recipe: labels, metrics, thresholds filled in
results.json, predictions/PART.jsonl               what was measured, and on what
manifest.json                                      sizes and hashes of all that but the card (see runs/manifest.py)
training_log.jsonl, environment.json, train_stats.json  how it was made; what metrics know of the training data
README.md                                          the model card
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hf_tasks import data
from hf_tasks import recipe as recipes
from hf_tasks.core import distributed, hardware
from hf_tasks.core.errors import DataError, RunError
from hf_tasks.core.files import publish, top_probabilities, write_errors, write_json, write_text
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
    provenance,
    trained_here,
)
from hf_tasks.runs.example import example
from hf_tasks.runs.predictions import Predictions
from hf_tasks.runs.scores import Scores, main_value, to_frame, to_html
from hf_tasks.runs.status import STAGING, STATUS, clean_up, read_origin
from hf_tasks.tasks import EncodedSplit

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn
    from transformers import PreTrainedTokenizerBase

RECIPE, RESULTS, TRAIN_STATS, LOG, ENVIRONMENT, CARD = (
    "recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json", "README.md",
)  # fmt: skip
ROWS_VERIFIED = 8
TOLERANCE = 1e-4
"""Largest difference of two float32 logits that the same model may give in another process."""


@dataclass(frozen=True, repr=False)
class Run:
    """A trained model with its recipe, its results and all that is needed to use it, in the directory `path`."""

    path: Path
    recipe: Recipe

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Load the run in a directory; `overrides` are `decoding.key=value` strings that change how text is generated.

        Raises RunError where there is no run, or where it is not complete."""
        path = Path(path)
        if seeds := sorted(path.glob(f"seed-*/{RECIPE}")):
            raise RunError(f"{path}: the runs of several seeds are here; name one of them, e.g. {seeds[0].parent}")
        clean_up(path)
        if not (path / RECIPE).is_file():
            raise RunError(f"{path}: no run is here (no {RECIPE}); give the directory that `train` wrote")
        if (path / RESULTS).is_file():
            _check_results(path)
        manifest.check(path)
        run = cls(path, recipes.validate(yaml_file.read_with_decoding(path / RECIPE, overrides)))
        unfinished = (path / STATUS).is_file() and not (path / RESULTS).is_file()
        if unfinished or not model_files.is_whole(run.recipe, path) or not run.recipe.task.metrics:
            raise RunError(f"{path}: this training did not finish, there is no model; give its command again to go on")
        return run

    @staticmethod
    def is_finished(path: Path) -> bool:
        """Whether a directory holds a run that was trained, saved and measured to its end."""
        return Run.is_ours(path) and (path / RESULTS).is_file()

    @staticmethod
    def is_ours(path: Path) -> bool:
        """Whether a directory was made by a training."""
        if read_origin(path) is not None:
            return True
        try:
            return "hf_tasks" in json_files.read(path / ENVIRONMENT)["packages"]
        except (RunError, KeyError):
            return False

    @staticmethod
    def begin(recipe: Recipe, recipe_dir: Path | None) -> None:
        """Mark the recipe's output directory as a run: write the environment, unless an interrupted training has done
        so, and the recipe."""
        if not _holds_values(recipe.output_dir / ENVIRONMENT):
            write_json(recipe.output_dir / ENVIRONMENT, provenance.environment(recipe, recipe_dir))
        write_text(recipe.output_dir / RECIPE, recipes.to_yaml(recipe))

    @classmethod
    def create(
        cls,
        recipe: Recipe,
        model: "nn.Module",
        tokenizer: "PreTrainedTokenizerBase",
        train_stats: Mapping[str, Any],
        history: Iterable[Mapping[str, Any]],
    ) -> Self:
        """Write the trained model and all that is needed to use it into a folder below the run's directory; `publish`
        moves it all there at the end, so that a run is whole or is none."""
        run = cls(recipe.output_dir / STAGING, recipe)
        distributed.broadcast_from_main(lambda: run._write(model, tokenizer, train_stats, history))
        return run

    def _write(
        self,
        model: "nn.Module",
        tokenizer: "PreTrainedTokenizerBase",
        train_stats: Any,
        history: Iterable[Mapping[str, Any]],
    ) -> None:
        with write_errors(self.path.parent), self._removed_on_error():
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir()
            shutil.copy(self.path.parent / ENVIRONMENT, self.path)
            model_files.save(self.recipe, model, self.path)
            if self.recipe.decoding:
                self.recipe.decoding.saved_config(model).save_pretrained(self.path)
            tokenizer.save_pretrained(self.path)
            (self.path / RECIPE).write_text(recipes.to_yaml(self.recipe), encoding="utf-8")
            _write_json(self.path / TRAIN_STATS, train_stats)
            _write_rows(self.path / LOG, history)

    @contextmanager
    def _removed_on_error(self) -> Iterator[None]:
        """What could not be written whole leaves its room on the disk to the next try."""
        try:
            yield
        except Exception:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

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
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    # -- using it

    def predict(
        self, inputs: Any = None, *, top: int | None = None, batch_size: int = evaluation.BATCH_SIZE, **columns: Any
    ) -> Any:
        """The prediction of one input, or the predictions of several as a list with `.to_frame()`.

        `inputs`: a string, a tuple of strings for a task that reads pairs, a dict of columns; or several of them: a
        list, a pandas Series or DataFrame, a datasets.Dataset; or the pathlib.Path of a file. One input can be given as
        keywords too. `top`: how many of the probabilities are kept, the highest first. `batch_size`: features that are
        computed at once. Raises DataError.

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

    def _inputs(self, values: Any, *, labelled: bool) -> DataSplit:
        """Python objects, or the file at a Path, as examples."""
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
        """Predictions of a split."""
        task = self.recipe.task
        encoded = evaluation.encode(split.examples, task, self.tokenizer)
        return evaluation.predict(
            self.model, task, encoded, self.tokenizer, decoding=self.recipe.decoding, batch_size=batch_size,
            description=description,
        )  # fmt: skip

    def evaluate(self, inputs: Any) -> Scores:
        """The task's metrics on labelled inputs, with 95 % intervals: a list of dicts, a list of tuples such as
        (text, label), a pandas DataFrame, a datasets.Dataset, or the pathlib.Path of a file. Raises DataError."""
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
            decoding=mbr_baselines.with_candidates(decoding), description=description,
        )  # fmt: skip
        values = evaluation.scores(task, predicted, encoded.examples, self.train_stats, intervals=True)
        predicted, more = mbr_baselines.report(
            task, decoding, generate, encoded, predicted, self.train_stats, description
        )
        return predicted, values | more

    @cached_property
    def train_stats(self) -> dict[str, Any]:
        """What the metrics know of the training data."""
        return json_files.read(self.path / TRAIN_STATS)

    @cached_property
    def results(self) -> dict[str, Any]:
        """What was measured after training: a dict for each part, and facts about data and training."""
        return json_files.read(self.path / RESULTS)

    @property
    def metrics(self) -> dict[str, Scores]:
        """What was measured after training on each split: `run.metrics["test"]["accuracy"]`."""
        return {name: Scores(self.results[name]) for name in ("validation", "test") if name in self.results}

    def to_frame(self) -> "DataFrame":
        """The metrics of every split as a pandas DataFrame: split, metric, value, low, high."""
        return to_frame(self.metrics)

    def __repr__(self) -> str:
        values = [f"{split} {main_value(self.recipe.task.metrics, scores)}" for split, scores in self._known().items()]
        return f"<Run {self.path}: {self.recipe.task.name}, {', '.join(values) or 'not measured'}>"

    def _repr_html_(self) -> str:
        return to_html(f"{self.path}: {self.recipe.task.name}, {self.recipe.model.name_or_path}", self._known())

    def _known(self) -> dict[str, Scores]:
        """The metrics; none of a run that is not measured yet."""
        return self.metrics if (self.path / RESULTS).is_file() else {}

    @property
    def trained_here(self) -> bool:
        """Whether the run was trained on this machine and has not been changed since."""
        return trained_here.is_trained_here(self.path)

    @property
    def recipe_folder(self) -> Path | None:
        """Where the recipe file was when the run was trained; None for a run that was not trained on this machine."""
        folder = json_files.read(self.path / ENVIRONMENT).get("recipe_folder") if self.trained_here else None
        return Path(folder) if folder else None

    # -- made by training

    def verify(self, model: "nn.Module", encoded: EncodedSplit) -> None:
        """Load the run in a fresh process and compare its outputs on a few rows with those of the trained model.

        Raises RunError where they differ: what was saved is then not what was trained.
        """
        examples = encoded.examples.select(range(min(ROWS_VERIFIED, len(encoded.examples))))
        few = evaluation.encode(examples, self.recipe.task, self.tokenizer)
        here, _ = evaluation.outputs(model, self.recipe.task, few, self.tokenizer)
        distributed.broadcast_from_main(lambda: self._compare(evaluation.flat(here), list(examples)))

    def _compare(self, expected: np.ndarray, examples: list[Any]) -> None:
        """Raises RunError where a fresh process computes something else than `expected` for examples."""
        fresh = subprocess.run(
            [sys.executable, "-m", "hf_tasks.runs.verify", str(self.path)],
            env={name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")},
            input=json.dumps(examples), capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if fresh.returncode:
            reason = (fresh.stderr.strip().splitlines() or ["no message"])[-1]
            raise RunError(f"{self.path}: the saved run cannot be loaded: {reason}")
        found = np.array(json.loads(fresh.stdout.splitlines()[-1]))
        difference = float(np.abs(expected - found).max()) if len(expected) == len(found) else np.inf
        if not difference <= TOLERANCE:
            raise RunError(
                f"{self.path}: the saved run computes something else than the trained model (by {difference})"
            )

    def measure(self, encoded_splits: Mapping[str, EncodedSplit], facts: Mapping[str, Any]) -> None:
        """Predict and score splits with the saved model; writes results.json and the predictions."""
        results, predictions = dict[str, Any](), dict[str, list[Any]]()
        for name, encoded in encoded_splits.items():
            predicted, results[name] = self._measured(encoded, f"Evaluating {name}")
            results["example"] = example(self.recipe.task, encoded.examples, predicted.predictions)
            predictions[name] = predicted.predictions
        distributed.broadcast_from_main(lambda: self._write_measured(predictions, {**results, **facts}))

    def _write_measured(self, predictions: Mapping[str, list[Any]], results: Mapping[str, Any]) -> None:
        with write_errors(self.path.parent):
            for name, rows in predictions.items():
                _write_rows(self.path / "predictions" / f"{name}.jsonl", rows)
            _write_json(self.path / RESULTS, results)
            trained_here.record(self.path)

    def publish(self) -> Self:
        """Move what `create` and `measure` wrote into the run's directory, the results last."""
        distributed.broadcast_from_main(self._publish)
        return type(self)(self.path.parent, self.recipe)

    def _publish(self) -> None:
        with write_errors(self.path.parent):
            (self.path.parent / manifest.FILE).unlink(missing_ok=True)  # of a move that was cut short
            manifest.write(self.path)
            publish(self.path, self.path.parent, last=RESULTS)


def _check_results(path: Path) -> None:
    """RunError where the results of a finished run, or other values that are shown of it, cannot be read."""
    if not _holds_values(path / RESULTS):
        raise RunError(f"{path / RESULTS}: is empty or damaged; restore it, or train the run again with --overwrite")
    for name in (RESULTS, ENVIRONMENT, TRAIN_STATS):
        if (path / name).exists():
            json_files.read(path / name)


def _holds_values(path: Path) -> bool:
    try:
        return bool(read_json(path))
    except (OSError, ValueError):
        return False


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
