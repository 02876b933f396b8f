"""StagedRun: a run while `train` writes it, in a folder of its own, until all of its files are moved at once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hf_tasks import recipe as recipes
from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import publish, write_errors, write_json, write_text
from hf_tasks.core.hashing import sha256
from hf_tasks.core.terminal import say
from hf_tasks.recipe import Recipe
from hf_tasks.runs import (
    counts,
    evaluation,
    manifest,
    model_files,
    provenance,
    sentence_transformers_files,
    trained_here,
)
from hf_tasks.runs.example import example
from hf_tasks.runs.run import ENVIRONMENT, LOG, RECIPE, RESULTS, TRAIN_STATS, Run, holds_values
from hf_tasks.runs.status import STAGING
from hf_tasks.tasks import EncodedSplit

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

ROWS_VERIFIED = 8
TOLERANCE = 1e-4
"""Largest accepted difference between float32 logits of the same model in two processes."""


class StagedRun(Run):
    """The run that a training is writing: `create`, `verify`, `measure`, `publish`."""

    @staticmethod
    def begin(recipe: Recipe, recipe_dir: Path | None) -> None:
        """Write the recipe and the environment (unless a training to resume has written it) to the output directory."""
        if not holds_values(recipe.output_dir / ENVIRONMENT):
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
        """Write the trained model and its files to a staging folder; `publish` moves them to the run's directory."""
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
            sentence_transformers_files.write(self.recipe, model, tokenizer, self.path)
            (self.path / RECIPE).write_text(recipes.to_yaml(self.recipe), encoding="utf-8")
            _write_json(self.path / TRAIN_STATS, train_stats)
            _write_rows(self.path / LOG, history)

    @contextmanager
    def _removed_on_error(self) -> Iterator[None]:
        """Context manager that frees the disk space of the staging folder after an error."""
        try:
            yield
        except Exception:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def verify(self, model: "nn.Module", encoded: EncodedSplit) -> None:
        """Load the run in a fresh process and compare its outputs on a few examples with those of the trained model.

        Raises RunError if they differ.
        """
        say("  verifying  the saved run in a fresh process")
        examples = encoded.examples.select(range(min(ROWS_VERIFIED, len(encoded.examples))))
        few = evaluation.encode(examples, self.recipe.task, self.tokenizer)
        here, _ = evaluation.outputs(model, self.recipe.task, few, self.tokenizer)
        distributed.broadcast_from_main(lambda: self._compare(evaluation.flat(here), list(examples)))

    def _compare(self, expected: np.ndarray, examples: list[Any]) -> None:
        """Raise RunError if a fresh process computes other outputs than `expected` for the examples."""
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
        """Predict and score the splits with the saved model; write results.json and the predictions."""
        results, predictions = dict[str, Any](), dict[str, list[Any]]()
        for name, encoded in encoded_splits.items():
            predicted, results[name] = self._measured(encoded, f"Evaluating {name}")
            results["example"] = example(self.recipe.task, encoded.examples, predicted.predictions)
            predictions[name] = predicted.predictions
        examples = {name: encoded.examples for name, encoded in encoded_splits.items()}
        distributed.broadcast_from_main(lambda: self._write_measured(predictions, examples, {**results, **facts}))

    def _write_measured(
        self, predictions: Mapping[str, list[Any]], examples: Mapping[str, Any], results: Mapping[str, Any]
    ) -> None:
        with write_errors(self.path.parent):
            for name, rows in predictions.items():
                _write_rows(self.path / "predictions" / f"{name}.jsonl", rows)
                tables = evaluation.tables(self.recipe.task, rows, examples[name], self.train_stats)
                counts.write(self.path / counts.FOLDER / f"{name}.npz", tables)
            hashes = {name: sha256(self.path / name) for split in predictions for name in counts.files_of(split)}
            _write_json(self.path / RESULTS, {**results, "sha256": hashes})
            trained_here.record(self.path)

    def publish(self) -> Run:
        """Move the files that `create` and `measure` wrote to the run's directory, the results last."""
        distributed.broadcast_from_main(self._publish)
        return Run(self.path.parent, self.recipe)

    def _publish(self) -> None:
        with write_errors(self.path.parent):
            (self.path.parent / manifest.FILE).unlink(missing_ok=True)  # left by an interrupted move
            manifest.write(self.path)
            publish(self.path, self.path.parent, last=RESULTS)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
