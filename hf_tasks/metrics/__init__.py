"""METRICS: plain functions (predictions, references) -> {name: value}; the first value is the metric's own.

A metric may also ask, by parameter name, for what a task remembers of its training data (`Task.memory`), and for
what it says of the examples (`Task.context`).
Any other name is passed to `evaluate.load` (a metric of the Hub, or a local script) where the environment allows it.
"""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

from hf_tasks.block import did_you_mean
from hf_tasks.errors import RecipeError
from hf_tasks.metrics import classification, generation, probability, squad, tagging
from hf_tasks.metrics.cmrc2018 import cmrc2018
from hf_tasks.metrics.gleu import gleu

Metric = Callable[..., dict[str, Any]]

METRICS: dict[str, Metric] = {
    "accuracy": classification.accuracy,
    "f1": classification.f1,
    "precision": classification.precision,
    "recall": classification.recall,
    "matthews_correlation": classification.matthews_correlation,
    "per_class": classification.per_class,
    "pearson": classification.pearson,
    "spearman": classification.spearman,
    "mse": classification.mse,
    "ece": probability.ece,
    "brier": probability.brier,
    "nll": probability.nll,
    "entity_f1": tagging.entity_f1,
    "conlleval_f1": tagging.conlleval_f1,
    "entity_errors": tagging.entity_errors,
    "unseen_entity_recall": tagging.unseen_entity_recall,
    "tagging_accuracy": tagging.tagging_accuracy,
    "word_segmentation": tagging.word_segmentation,
    "squad": squad.squad,
    "squad_v2": squad.squad_v2,
    "cmrc2018": cmrc2018,
    "bleu": generation.bleu,
    "chrf": generation.chrf,
    "chrf++": generation.chrf_plus_plus,
    "ter": generation.ter,
    "rouge": generation.rouge,
    "rougeL": generation.rouge_l,
    "gleu": gleu,
}

ALLOW_CODE = "HF_TASKS_METRIC_CODE"
"""The environment variable that allows the code of metrics that are not ours."""

LOWER_IS_BETTER = (
    "loss", "mse", "mae", "mape", "ece", "brier", "nll", "brier_score", "perplexity", "ter", "wer", "cer",
)  # fmt: skip


OF_CONFIDENCE = {"ece", "brier", "nll"}
"""Those that ask how sure the predictions are."""


def score(
    names: Sequence[str], predictions: list[Any], references: list[Any], memory: dict[str, Any]
) -> dict[str, Any]:
    """The values of several metrics on the same predictions, in one dict, `n` first.

    Raises RecipeError for a metric that is neither ours nor to be had from `evaluate`.
    """
    values: dict[str, Any] = {"n": len(references)}
    for name in names:
        metric = find(name)
        wanted = inspect.signature(metric).parameters.keys() & memory.keys()
        values |= metric(predictions, references, **{key: memory[key] for key in wanted})
    return values


def find(name: str) -> Metric:
    """The metric of a name. Raises RecipeError where it is neither ours nor to be had from `evaluate`."""
    return METRICS.get(name) or from_evaluate(name)


def from_evaluate(name: str) -> Metric:
    """A metric of the Hub, or a local script, as one of ours.

    Both run their author's Python code, so neither a recipe nor its author can ask for it: the person at this machine
    allows it, by an environment variable. Raises RecipeError.
    """
    known = f'task.metrics: there is no metric "{name}"{did_you_mean(name, METRICS)} (one of: {", ".join(METRICS)}'
    if os.environ.get(ALLOW_CODE) != "1":
        how = f"set {ALLOW_CODE}=1 in the environment to allow the Python code of its author to run here"
        raise RecipeError(f"{known}); if it is a metric of evaluate, {how}")
    import evaluate

    try:
        module = evaluate.load(name)
    except (FileNotFoundError, ConnectionError, ValueError, ImportError) as e:
        text = f"{known}; or a metric of evaluate, by its Hub id or the path of its script, but: "
        raise RecipeError(f"{text}{str(e).splitlines()[0]})") from None
    return lambda predictions, references: dict(module.compute(predictions=predictions, references=references))
