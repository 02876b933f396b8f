"""Baselines for minimum Bayes risk decoding: the oracle candidate, beam search and greedy search on the same data.

The cost is one beam search and one greedy search; the oracle chooses among the candidates that MBR has sampled.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hf_tasks.decoding import MBR, Beam, Decoding, Greedy
from hf_tasks.decoding.mbr import oracle
from hf_tasks.metrics import score
from hf_tasks.runs import evaluation
from hf_tasks.runs.evaluation import Predicted
from hf_tasks.tasks import EncodedSplit, Task

Generate = Callable[[EncodedSplit, Decoding, str], Predicted]
"""(unlabelled split, decoding, title of the progress bar) -> predictions."""


def with_candidates(decoding: Decoding | None) -> Decoding | None:
    """Return the decoding, for minimum Bayes risk with `keep_candidates`, which `report` needs."""
    return decoding.model_copy(update={"keep_candidates": True}) if isinstance(decoding, MBR) else decoding


def report(
    task: Task,
    decoding: Decoding | None,
    generate: Generate,
    split: EncodedSplit,
    predicted: Predicted,
    train_stats: dict[str, Any],
    description: str,
) -> tuple[Predicted, dict[str, Any]]:
    """Return the predictions and, for MBR, {"expected_utility": mean, "decodings": {decoding: metrics}}; else {}.

    The decodings are MBR, oracle, beam search and greedy search. Candidates are removed from the predictions unless the
    recipe keeps them.
    """
    if not isinstance(decoding, MBR) or not predicted.predictions:
        return predicted, {}
    rows, inputs = predicted.predictions, task.metric_inputs(predicted.predictions, split.examples)
    candidates = zip([row["candidates"] for row in rows], inputs.references, strict=True)
    utility = decoding.utility_of_pairs()
    texts = {
        "mbr": [row["prediction"] for row in rows],
        "oracle": [several[oracle(several, right, utility).index] for several, right in candidates],
    }
    unlabelled = EncodedSplit(split.examples, split.features.remove_columns("labels"))
    limits = decoding.model_dump(include={"max_new_tokens", "min_new_tokens", "no_repeat_ngram_size"})
    for other in (Beam(name="beam"), Greedy(name="greedy")):
        found = generate(unlabelled, other.model_copy(update=limits), f"{description}: {other.name} search")
        texts[other.name] = [row["prediction"] for row in found.predictions]
    arguments = train_stats | inputs.context
    values = {
        name: evaluation.numbers(score(task.metrics, found, inputs.references, arguments))
        for name, found in texts.items()
    }
    for row in values.values():
        del row["n"]
    kept = rows if decoding.keep_candidates else [_without_candidates(row) for row in rows]
    expected = float(np.mean([row["expected_utility"] for row in rows]))
    return replace(predicted, predictions=kept), {"expected_utility": expected, "decodings": values}


def _without_candidates(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("candidates", "expected_utilities")}
