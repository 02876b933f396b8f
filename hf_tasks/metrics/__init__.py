"""METRICS: a `Metric` for each name that a recipe may give in `task.metrics`.

Any other name is passed to `evaluate.load` (a metric on the Hub, or a local script) where the environment allows it.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import did_you_mean
from hf_tasks.metrics import classification, generation, perplexity, probability, similarity, squad, tagging
from hf_tasks.metrics.cmrc2018 import cmrc2018
from hf_tasks.metrics.coreference import coreference_f1
from hf_tasks.metrics.gleu import gleu
from hf_tasks.metrics.metric import Metric, Value

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
    "coreference_f1": coreference_f1,
    "ece": probability.ece,
    "brier": probability.brier,
    "nll": probability.nll,
    "average_precision": similarity.average_precision,
    "positive_f1": similarity.positive_f1,
    "triplet_accuracy": similarity.triplet_accuracy,
    "retrieval": similarity.retrieval,
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
    "perplexity": perplexity.perplexity,
    "masked_accuracy": perplexity.masked_accuracy,
}

KINDS: dict[str, str] = {
    **dict.fromkeys(("entity_f1", "conlleval_f1", "entity_errors"), "tags"),
    **dict.fromkeys(("unseen_entity_recall", "tagging_accuracy", "word_segmentation"), "tags"),
    **dict.fromkeys(("average_precision", "positive_f1"), "similarities"),
    **dict.fromkeys(("triplet_accuracy", "retrieval"), "ranks"),
    **dict.fromkeys(("squad", "squad_v2", "cmrc2018"), "answers"),
    **dict.fromkeys(("bleu", "chrf", "chrf++", "ter", "rouge", "rougeL", "gleu"), "texts"),
    **dict.fromkeys(("perplexity", "masked_accuracy"), "tokens"),
}
"""What each metric compares; labels or numbers where it is not here."""

VALUES: dict[str, Value] = {
    "n": Value("examples", is_score=False),
    "loss": Value("mean training loss on these examples", is_score=False),
    "cut": Value("predictions cut off at max_new_tokens", is_score=False),
    "expected_utility": Value("mean expected utility of the chosen texts (minimum Bayes risk)", is_score=False),
} | {name: value for metric in METRICS.values() for name, value in metric.described.items()}
"""Every number that results.json may hold of a split, by its key there."""

ALLOW_CODE = "HF_TASKS_METRIC_CODE"
"""The environment variable that allows the code of metrics that are not ours."""

LOWER_ELSEWHERE = ("loss", "mae", "mape", "brier_score", "perplexity", "wer", "cer")
"""Losses, and metrics of `evaluate`, of which a lower value is better."""
HUB_FAMILIES = ("accuracy", "f1", "precision", "recall")


def score(
    names: Sequence[str], predictions: Sequence[Any], references: Sequence[Any], memory: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of several metrics on the same predictions, in one dict, `n` first.

    `memory`: keyword arguments of metrics, by parameter name. Raises RecipeError for a metric that is neither
    defined here nor available from `evaluate`.
    """
    values: dict[str, Any] = {"n": len(references)}
    for name in names:
        values |= find(name)(predictions, references, **memory)
    return values


def find(name: str) -> Metric:
    """The metric of this name. Raises RecipeError where it is neither defined here nor available from `evaluate`."""
    return METRICS.get(name) or from_evaluate(name)


def higher_is_better(name: str) -> bool:
    """Whether a higher value is better; `name`: of a metric, or of a value in results.json."""
    ours = [metric for key, metric in METRICS.items() if name == key or name in metric.described]
    return ours[0].higher_is_better if ours else not name.endswith(LOWER_ELSEWHERE)


def is_score(name: str) -> bool:
    """Whether a number in results.json measures the quality of the model by itself."""
    return name not in VALUES or VALUES[name].is_score


def description(name: str) -> str:
    """The description of a number in results.json; "" for a metric that is not defined here."""
    return VALUES[name].description if name in VALUES else ""


def hub_name(name: str) -> str:
    """The Hub's name of the metric that gives one of our values, e.g. `f1` for `f1_macro`."""
    if name in VALUES and VALUES[name].hub_name:
        return VALUES[name].hub_name
    return next((word for word in name.split("_") if word in HUB_FAMILIES), name)


def kind_of(name: str) -> str:
    """What a metric of ours compares: "labels", "tags", "answers", "texts", "tokens",
    "similarities" or "ranks"."""
    return KINDS.get(name, "labels")


def runs_code_of_others() -> bool:
    """Whether the environment allows metrics of `evaluate`, which run their authors' Python code."""
    return os.environ.get(ALLOW_CODE) == "1"


def unknown(name: str) -> str:
    """The message for a metric that is not ours, without its key."""
    how = f"set {ALLOW_CODE}=1 in the environment to allow the Python code of its author to run here"
    return f"{_not_ours(name)}); if it is a metric of evaluate, {how}"


def _not_ours(name: str) -> str:
    return f'there is no metric "{name}"{did_you_mean(name, METRICS)} (one of: {", ".join(METRICS)}'


def from_evaluate(name: str) -> Metric:
    """A metric of the Hub, or a local script, as one of ours.

    Both run their author's Python code, so neither a recipe nor its author can ask for it: the person at this machine
    allows it, by an environment variable. Raises RecipeError.
    """
    if not runs_code_of_others():
        raise RecipeError(f"task.metrics: {unknown(name)}")
    import evaluate

    try:
        module = evaluate.load(name)
    except (FileNotFoundError, ConnectionError, ValueError, ImportError) as e:
        text = (
            f"task.metrics: {_not_ours(name)}; or a metric of evaluate, by its Hub id or the path of its script, but: "
        )
        raise RecipeError(f"{text}{str(e).splitlines()[0]})") from None
    return Metric(
        more=lambda predictions, references: dict(module.compute(predictions=predictions, references=references))
    )
