"""Predictions of rows by a checkpoint instead of a run: `hf-tasks predict --model ID --task TASK FILE`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.core.section import did_you_mean
from hf_tasks.data import DataSplit
from hf_tasks.data.section import Data
from hf_tasks.models.section import Model
from hf_tasks.recipe import Recipe
from hf_tasks.runs.evaluation import Predicted
from hf_tasks.runs.pipelines import pipeline, task_of
from hf_tasks.tasks import AnyTask, QuestionAnswering, TextClassification, TextToText
from hf_tasks.tasks.types import Prediction

TASKS = ("question-answering", "summarization", "translation", "text2text-generation", "text-classification")


@dataclass(frozen=True)
class CheckpointPredictor:
    """A checkpoint that predicts the rows of files as a run does."""

    recipe: Recipe
    """Its task and model alone."""
    pipeline: Any

    @classmethod
    def load(cls, model: str, task_name: str | None) -> "CheckpointPredictor":
        """`model`: ID, ID@REVISION, a folder or package:NAME. Raises RunError."""
        task = _task(task_name)
        name, _, revision = (model, "", "") if Path(model).exists() else model.partition("@")
        loaded = pipeline(str(task_name), model=name, revision=revision or None)
        section = Model(name_or_path=name, revision=revision or None)
        return cls(Recipe.model_construct(name=name, task=task, data=Data(), model=section), loaded)

    def predict_split(self, split: DataSplit, description: str | None = None) -> Predicted:
        """The predictions of all examples, in their order."""
        rows = list(split.examples)
        match self.recipe.task:
            case QuestionAnswering():
                answers = self.pipeline(rows)
                found = [answers] if isinstance(answers, dict) else answers
            case TextToText():
                texts = self.pipeline([row["source"] for row in rows], truncation=True)
                found = [{"prediction": next(iter(one.values()))} for one in texts]
            case _:
                inputs = [{name: row[name] for name in ("text", "text_pair") if name in row} for row in rows]
                found = [_label(scores) for scores in self.pipeline(inputs, top_k=None, truncation=True)]
        return Predicted(found, None)


def _task(name: str | None) -> AnyTask:
    if name is None:
        raise RunError(f"--model: needs its task; add --task, one of {', '.join(TASKS)}")
    if name == "text-classification":
        return TextClassification(name="text-classification")
    if task := task_of(name):
        return task
    raise RunError(f"--task {name}: is not one of {', '.join(TASKS)}{did_you_mean(name, TASKS)}; or train a run")


def _label(scores: list[dict[str, Any]]) -> Prediction:
    """The prediction of a classifier: label, score and all probabilities."""
    return {**scores[0], "probabilities": {one["label"]: one["score"] for one in scores}}
