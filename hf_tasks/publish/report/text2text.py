"""Report sections of tasks that generate text: quality and length of each text, texts beside their references."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hf_tasks.publish import plots
from hf_tasks.publish.report.blocks import Example, Examples, Facts, ReportSection, plain
from hf_tasks.publish.report.measured import MeasuredSplit

MOST = 2000
"""Number of texts that are scored one by one; a larger split is sampled."""
SEED = 0
SHOWN = 10
EMPTY = "(empty)"
LONG = 700
"""Characters of a text that are shown."""


def written(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """The sections of a split."""
    rows = np.arange(len(measured.answers))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MOST, replace=False))
    scores = _chrf([measured.answers[i] for i in rows], [measured.references[i] for i in rows])
    ratios = np.array([_ratio(measured.answers[i], measured.references[i]) for i in rows])
    facts = [("mean chrF", float(scores.mean())), ("median length ratio", float(np.median(ratios)))]
    sampled = f", a sample of {MOST:,}" if len(measured.answers) > MOST else ""
    chrf = plots.histogram(f"chrF of each text{sampled}", scores, "chrF")
    label = "characters of the text / characters of its reference (at most 3)"
    ratio = plots.histogram(f"Length ratio{sampled}", np.minimum(ratios, 3), label, [(1.0, "equal")])
    yield ReportSection("Texts", [Facts([*_counts(measured), *facts]), chrf, ratio])
    yield ReportSection("Examples", list(_side_by_side(measured, rows, scores)))


def _counts(measured: MeasuredSplit) -> list[tuple[str, Any]]:
    cut = sum(row["cut"] for row in measured.predictions)
    empty = sum(not text.strip() for text in measured.answers)
    source = measured.task.traits.inputs[0]
    copies = sum(text == row[source] for text, row in zip(measured.answers, measured.rows, strict=True))
    return [("cut at max_new_tokens", cut), ("empty texts", empty), (f"copies of the {source}", copies)]


def _side_by_side(measured: MeasuredSplit, rows: np.ndarray, scores: np.ndarray) -> Iterator[Examples]:
    """The texts with the lowest, median and highest scores among `rows`; none twice."""
    order = np.argsort(scores, kind="stable")
    middle = len(order) // 2
    few = order[max(SHOWN, middle - SHOWN // 2) : middle + SHOWN // 2]
    best = order[max(SHOWN, middle + SHOWN // 2) :][::-1][:SHOWN]
    for title, places in {"The lowest chrF": order[:SHOWN], "Median chrF": few, "The highest chrF": best}.items():
        if len(places):
            yield Examples(title, [_example(measured, int(rows[i]), float(scores[i])) for i in places])


def _example(measured: MeasuredSplit, row: int, score: float) -> Example:
    example, prediction = measured.rows[row], measured.predictions[row]
    facts = [("chrF", score), *([("cut", "at max_new_tokens")] if prediction["cut"] else [])]
    source = measured.task.traits.inputs[0]
    passages = [(source, plain(example[source], LONG))]
    passages += [("reference", plain(text, LONG)) for text in measured.references[row][:3]]
    return Example(
        measured.where(row), facts, [*passages, ("prediction", plain(prediction["prediction"] or EMPTY, LONG))]
    )


def _chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """(E,) chrF2 of each text in percent (Popović 2015, https://aclanthology.org/W15-3049), by sacrebleu."""
    from sacrebleu.metrics import CHRF

    scorer = CHRF()
    return np.array(
        [scorer.sentence_score(text, list(right)).score for text, right in zip(texts, references, strict=True)]
    )


def _ratio(text: str, references: Sequence[str]) -> float:
    """Characters of a text / characters of the reference closest in length."""
    lengths = [max(len(reference), 1) for reference in references]
    return len(text) / min(lengths, key=lambda length: abs(length - len(text)))
