"""Report sections of sentence similarity: cosines beside scores or labels, ranks, and the worst pairs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.metrics.similarity import CUTOFFS
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE
from hf_tasks.publish.report.blocks import Example, Examples, Facts, ReportSection, plain
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.tasks import SentenceSimilarity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 20
TEXTS = ("sentence1", "sentence2", "anchor", "positive", "negatives")


def sections(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """The sections of a split, for what the task learned from."""
    task = measured.task
    assert isinstance(task, SentenceSimilarity)
    cosines = np.array([prediction["score"] for prediction in measured.predictions])
    match task.target:
        case "score":
            yield from _scores(measured, cosines)
        case "label":
            yield from _labels(measured, cosines, task)
        case _:
            yield from _ranks(measured, cosines)


def _scores(measured: MeasuredSplit, cosines: np.ndarray) -> Iterator[ReportSection]:
    from scipy.stats import rankdata

    scores = np.array(measured.references, float)

    def scatter(axes: "Axes") -> None:
        axes.scatter(scores, cosines, s=9, color=BLUE, alpha=0.4, linewidth=0)
        axes.set_xlabel("score")
        axes.set_ylabel("cosine")

    yield ReportSection("Cosines and scores", [plots.picture("Cosine of each pair by its score", scatter)])
    difference = rankdata(cosines) - rankdata(scores)
    order = np.argsort(-np.abs(difference), kind="stable")
    facts = [[("score", float(scores[i])), ("cosine", _rounded(cosines[i]))] for i in order[:SHOWN]]
    yield ReportSection("Worst pairs", [_examples("The largest differences in rank", measured, order, facts)])


def _labels(measured: MeasuredSplit, cosines: np.ndarray, task: SentenceSimilarity) -> Iterator[ReportSection]:
    same, found = (np.array(side) == "1" for side in (measured.references, measured.answers))
    threshold = task.threshold if isinstance(task.threshold, float) else 0.5
    marks = [(threshold, "threshold")]
    names = {"Pairs that mean the same": cosines[same], "Other pairs": cosines[~same]}
    yield ReportSection(
        "Cosines", [plots.histogram(name, values, "cosine", marks) for name, values in names.items() if len(values)]
    )
    wrong = np.flatnonzero(same != found)
    order = wrong[np.argsort(-np.abs(cosines[wrong] - threshold), kind="stable")]
    facts = [[("label", int(same[i])), ("cosine", _rounded(cosines[i]))] for i in order[:SHOWN]]
    yield ReportSection("Worst pairs", [_examples("Wrong, farthest from the threshold", measured, order, facts)])


def _ranks(measured: MeasuredSplit, cosines: np.ndarray) -> Iterator[ReportSection]:
    ranks = np.array(measured.answers)
    shares = [(f"positive among the {k} nearest", f"{(ranks <= k).mean():.1%}") for k in CUTOFFS]
    yield ReportSection("Ranks", [Facts([*shares, ("median rank", float(np.median(ranks)))])])
    order = np.argsort(-ranks, kind="stable")
    order = order[ranks[order] > 1]
    facts = [[("rank", int(ranks[i])), ("cosine", _rounded(cosines[i]))] for i in order[:SHOWN]]
    yield ReportSection("Worst anchors", [_examples("Positives with the highest ranks", measured, order, facts)])


def _examples(
    title: str, measured: MeasuredSplit, order: np.ndarray, facts: Sequence[Sequence[tuple[str, Any]]]
) -> Examples:
    shown = [
        Example(measured.where(i), values, [(name, plain(text)) for name, text in _texts(measured.rows[i])])
        for i, values in zip(order[:SHOWN].tolist(), facts, strict=True)
    ]
    return Examples(title, shown, max(0, len(order) - SHOWN))


def _texts(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in TEXTS:
        value = row.get(name) or []
        yield from ((name, text) for text in ([value] if isinstance(value, str) else value))


def _rounded(value: float) -> float:
    return round(float(value), 3)
