"""Beside the choice of minimum Bayes risk: what the candidates held, beam search and greedy search on the same data.

Costs one beam search and one greedy search more; the candidates are those that were drawn for the choice.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.decoding import MBR, Beam, Decoding, Greedy
from hf_tasks.decoding.mbr import oracle
from hf_tasks.metrics import score
from hf_tasks.runs import evaluation
from hf_tasks.runs.evaluation import Predicted
from hf_tasks.tasks import EncodedSplit

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run


def with_candidates(decoding: Decoding | None) -> Decoding | None:
    """The decoding, with candidates in its predictions where it is minimum Bayes risk."""
    match decoding:
        case MBR():
            return decoding.model_copy(update={"keep_candidates": True})
        case _:
            return decoding


def report(run: "Run", split: EncodedSplit, predicted: Predicted, description: str) -> tuple[Predicted, dict[str, Any]]:
    """(the predictions, without candidates where the recipe wants none; `expected_utility`, the mean, and `decodings`,
    the metrics of the choice, of the oracle, of beam and of greedy search). Of another decoding, nothing more."""
    match run.recipe.decoding:
        case MBR() as decoding if predicted.predictions:
            pass
        case _:
            return predicted, {}
    rows, inputs = predicted.predictions, run.recipe.task.metric_inputs(predicted.predictions, split.examples)
    candidates = zip([row["candidates"] for row in rows], inputs.references, strict=True)
    utility = decoding.utility_of_pairs()
    texts = {
        "mbr": [row["prediction"] for row in rows],
        "oracle": [several[oracle(several, right, utility).index] for several, right in candidates],
        "beam": _found(run, split, _like(decoding, Beam(name="beam")), f"{description}: beam search"),
        "greedy": _found(run, split, _like(decoding, Greedy(name="greedy")), f"{description}: greedy search"),
    }
    asked = run.memory | inputs.context
    values = {
        name: evaluation.numbers(score(run.recipe.task.metrics, found, inputs.references, asked))
        for name, found in texts.items()
    }
    for row in values.values():
        del row["n"]
    kept = rows if decoding.keep_candidates else [_without_candidates(row) for row in rows]
    expected = float(np.mean([row["expected_utility"] for row in rows]))
    return replace(predicted, predictions=kept), {"expected_utility": expected, "decodings": values}


def _like(decoding: MBR, other: Decoding) -> Decoding:
    """With the limits of the choice's texts."""
    limits = {"max_new_tokens", "min_new_tokens", "no_repeat_ngram_size"}
    return other.model_copy(update=decoding.model_dump(include=limits))


def _found(run: "Run", split: EncodedSplit, decoding: Decoding, description: str) -> list[str]:
    unlabelled = EncodedSplit(split.examples, split.features.remove_columns("labels"))
    predicted = evaluation.predict(
        run.model, run.recipe.task, unlabelled, run.tokenizer, decoding=decoding, description=description
    )
    return [row["prediction"] for row in predicted.predictions]


def _without_candidates(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("candidates", "expected_utilities")}
