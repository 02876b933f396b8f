"""Report sections of text classification: confusions, precision and recall, calibration, worst errors; for regression
the distribution of the errors."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_tasks.metrics import calibration
from hf_tasks.metrics.classification import per_class
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE, GREY, SERIES
from hf_tasks.publish.report import occlusion
from hf_tasks.publish.report.blocks import Block, Example, Examples, Facts, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.results_view import Table
from hf_tasks.tasks import TextClassification

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NamedValues = Sequence[tuple[str, Any]]

MOST_CLASSES = 20
"""Maximum number of labels of a full confusion matrix."""
MOST_CONFUSED = 12
"""Number of labels in the matrix if there are more: those confused most often."""
MOST_PAIRS = 12
MOST_ROWS = 100
MOST_LINES = 5
"""Maximum number of labels with a precision-recall curve each."""
WORST = 20
MOST_POINTS = 1500
SEED = 0


def single(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """Sections for tasks with one label per example."""
    labels = labels_of(measured)
    gold, found = np.array(measured.references, object), np.array(measured.answers, object)
    truth = np.stack([gold == label for label in labels], axis=1)  # (E, C)
    scores = probabilities(measured)  # (E, C)
    yield ReportSection("Classes", [*confusion_blocks(labels, gold, found), _per_label(measured, truth, scores)])
    confidence = np.array([prediction["score"] for prediction in measured.predictions])
    chosen = np.stack([found == label for label in labels], axis=1)
    decided = Facts([("temperature", task_of(measured).temperature), *_threshold_of_two(task_of(measured))])
    blocks = [
        *_calibration(confidence, gold == found, "predicted labels"),
        *_precision_recall(labels, truth, chosen, scores),
    ]
    yield ReportSection("Probabilities", [*blocks, decided])
    yield ReportSection("Worst errors", [_worst(measured, gold, found, scores)])


def several(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """Sections for tasks with any number of labels per example."""
    labels = labels_of(measured)
    truth = np.array([[label in row for label in labels] for row in measured.references])  # (E, C)
    scores = probabilities(measured)
    yield ReportSection("Labels", [_per_label(measured, truth, scores)])
    confidence = np.where(scores > 0.5, scores, 1 - scores).ravel()
    correct = ((scores > 0.5) == truth).ravel()
    chosen = np.array([[label in row for label in labels] for row in measured.answers])
    blocks = _calibration(confidence, correct, "decisions at threshold 0.5, one per label")
    blocks += _precision_recall(labels, truth, chosen, scores)
    yield ReportSection("Probabilities", [*blocks, Facts([("temperature", task_of(measured).temperature)])])
    yield ReportSection("Worst errors", [_worst_of_several(measured, labels, truth, scores)])


def task_of(measured: MeasuredSplit) -> TextClassification:
    assert isinstance(measured.task, TextClassification)
    return measured.task


def labels_of(measured: MeasuredSplit) -> list[str]:
    return list(task_of(measured).labels)


def _threshold_of_two(task: TextClassification) -> list[tuple[str, Any]]:
    return [(f"threshold of {task.labels[1]}", task.threshold_of(task.labels[1]))] if len(task.labels) == 2 else []


def probabilities(measured: MeasuredSplit) -> np.ndarray:
    """(E, C) probability of each label."""
    labels = labels_of(measured)
    return np.array([[row["probabilities"][label] for label in labels] for row in measured.predictions])


def confusion_blocks(labels: Sequence[str], gold: np.ndarray, found: np.ndarray) -> Iterator[Block]:
    """The confusion matrix, of many labels only those confused most often, and the most frequent confusions."""
    wrong = Counter((g, f) for g, f in zip(gold, found, strict=True) if g != f)
    of_label = Counter(gold)
    if len(labels) > MOST_CLASSES:
        most = list(dict.fromkeys(label for pair, _ in wrong.most_common() for label in pair))[:MOST_CONFUSED]
        chosen = [label for label in labels if label in most]
        title = f"The {len(chosen)} labels confused most, of {len(labels)}"
    else:
        chosen, title = list(labels), "Confusion matrix"
    both = Counter(zip(gold, found, strict=True))
    counts = np.array([[both[g, f] for f in chosen] for g in chosen]).reshape(len(chosen), len(chosen))
    if len(chosen) > 1:
        yield plots.heat_map(title, counts, chosen, chosen)
    rows = [[g, f, n, n / of_label[g] if of_label[g] else None] for (g, f), n in wrong.most_common()]
    if rows:
        columns = ["label", "predicted", "n", "share of the label"]
        yield Table("Most frequent confusions", columns, rows).first(MOST_PAIRS)


def _per_label(measured: MeasuredSplit, truth: np.ndarray, scores: np.ndarray) -> Table:
    from sklearn.metrics import average_precision_score

    task, labels = task_of(measured), labels_of(measured)
    many = task.problem_type == "multi_label_classification"
    values = per_class(measured.answers, measured.references)["per_class"]
    rows = []
    for i, label in enumerate(labels):
        mean = float(average_precision_score(truth[:, i], scores[:, i])) if truth[:, i].any() else None
        one = values.get(label, {})
        numbers = (one.get(name) for name in ("f1", "precision", "recall", "support"))
        rows.append([label, *numbers, mean, *([task.threshold_of(label)] if many else [])])
    rows.sort(key=lambda row: -1.0 if row[1] is None else row[1])
    columns = ["label", "F1", "precision", "recall", "n", "average precision", *(["threshold"] if many else [])]
    return Table("Each label, the lowest F1 first", columns, rows).first(MOST_ROWS)


def _precision_recall(labels: list[str], truth: np.ndarray, chosen: np.ndarray, scores: np.ndarray) -> Iterator[Block]:
    """Precision-recall curves: with two labels that of the second one; else of all decisions, and of the most frequent
    labels.

    truth, chosen: (E, C) whether each label is in the data, and is predicted; scores: (E, C) its probability.
    """
    two = len(labels) == 2 and bool((truth.sum(1) == 1).all())
    often = np.argsort(-truth.sum(0), kind="stable")[: MOST_LINES if len(labels) <= MOST_CLASSES else 0].tolist()
    lines = [] if two else [Decisions("all decisions", truth.ravel(), chosen.ravel(), scores.ravel())]
    lines += [Decisions(labels[i], truth[:, i], chosen[:, i], scores[:, i]) for i in ([1] if two else often)]
    if drawn := [line for line in lines if line.truth.any()]:
        yield _curves(drawn)


class Decisions(NamedTuple):
    """The decisions of one curve."""

    name: str
    truth: np.ndarray
    chosen: np.ndarray
    scores: np.ndarray


def _curves(lines: list[Decisions]) -> Block:
    """Precision over recall; a dot on each curve marks the threshold in use."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    curves = [precision_recall_curve(line.truth, line.scores)[:2] for line in lines]
    means = [float(average_precision_score(line.truth, line.scores)) for line in lines]

    def draw(axes: "Axes") -> None:
        for line, (precision, recall), colour in zip(lines, curves, SERIES, strict=False):
            axes.plot(*plots.thinned(recall, precision), color=colour)
            right = (line.truth & line.chosen).sum()
            if line.chosen.any():
                axes.plot(right / line.truth.sum(), right / line.chosen.sum(), color=colour, marker="o", markersize=6)
        axes.set_xlabel("recall (dots: the thresholds in use)")
        axes.set_ylabel("precision")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.02)

    texts = [
        f"{plots.shown(line.name, 40)}, average precision {mean:.4f}" for line, mean in zip(lines, means, strict=True)
    ]
    return plots.picture("Precision and recall at every threshold", draw, legend=list(zip(SERIES, texts, strict=False)))


def _calibration(confidence: np.ndarray, correct: np.ndarray, counted: str) -> list[Block]:
    bins = [one for one in calibration.reliability(confidence, correct) if one.n]
    error = calibration.expected_calibration_error(confidence, correct)

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        width = bins[0].high - bins[0].low
        axes.bar(
            [one.low + width / 2 for one in bins], [one.accuracy for one in bins], width * 0.9, color=BLUE, alpha=0.6
        )
        axes.plot([one.confidence for one in bins], [one.accuracy for one in bins], color=BLUE, marker="o")
        axes.set_xlabel("confidence")
        axes.set_ylabel("accuracy")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)

    facts = [
        ("expected calibration error", error), ("mean confidence", float(confidence.mean())),
        ("accuracy", float(np.mean(correct))), (counted, len(confidence)),
    ]  # fmt: skip
    legend = [(BLUE, "accuracy in each bin"), (GREY, "perfect calibration")]
    return [Facts(facts), plots.picture("Reliability", draw, legend=legend)]


def _worst(measured: MeasuredSplit, gold: np.ndarray, found: np.ndarray, scores: np.ndarray) -> Examples:
    """The wrong predictions with the highest probability."""
    place = {label: i for i, label in enumerate(labels_of(measured))}
    wrong = np.flatnonzero(gold != found)
    confidence = scores[np.arange(len(found)), [place[label] for label in found]]
    order = wrong[np.argsort(-confidence[wrong], kind="stable")].tolist()
    facts = [
        [("label", gold[i]), ("predicted", found[i]), ("probability", float(confidence[i])),
         ("of the label", float(scores[i, place[gold[i]]]))]
        for i in order[:WORST]
    ]  # fmt: skip
    title = f"Most confident errors: {len(wrong):,} of {len(gold):,} predictions are wrong"
    return worst(title, measured, order, facts, [found[i] for i in order[:WORST]])


def _worst_of_several(measured: MeasuredSplit, labels: list[str], truth: np.ndarray, scores: np.ndarray) -> Examples:
    """The wrong examples, the largest error of a probability first."""
    away = np.abs(scores - truth)
    farthest, order = away.argmax(1), np.argsort(-away.max(1), kind="stable").tolist()
    order = [i for i in order if measured.answers[i] != measured.references[i]]
    facts = [
        [("labels", ", ".join(measured.references[i]) or "none"),
         ("predicted", ", ".join(measured.answers[i]) or "none"),
         (f"probability of {labels[farthest[i]]}", float(scores[i, farthest[i]]))]
        for i in order[:WORST]
    ]  # fmt: skip
    title = f"Most confident errors: {len(order):,} of {len(truth):,} examples have a wrong label"
    return worst(title, measured, order, facts, [labels[farthest[i]] for i in order[:WORST]])


def worst(
    title: str,
    measured: MeasuredSplit,
    order: list[int],
    facts: Sequence[NamedValues],
    labels: Sequence[str] | None = None,
) -> Examples:
    """The first examples of `order`, each with its `facts`, and its words highlighted by their influence on the
    probability of its one of `labels`, or without labels on the predicted number."""
    shown = order[:WORST]
    wanted: Sequence[str | None] = labels or [None] * len(shown)
    asked = dict(zip(shown, wanted, strict=True))
    marked = dict[int, occlusion.Passages]()
    for run, rows in measured.by_run(shown):
        passages = occlusion.marked(run, [measured.rows[i] for i in rows], [asked[i] for i in rows])
        marked |= zip(rows, passages, strict=True)
    examples = [Example(measured.where(i), values, marked[i]) for i, values in zip(shown, facts[:WORST], strict=True)]
    return Examples(title, examples, len(order) - len(shown), occlusion.LEGEND)


def numbers(measured: MeasuredSplit) -> Iterator[ReportSection]:
    """Sections for regression."""
    predicted, gold = np.array(measured.answers, float), np.array(measured.references, float)
    rows = np.arange(len(gold))
    if len(rows) > MOST_POINTS:
        rows = np.random.default_rng(SEED).choice(rows, MOST_POINTS, replace=False)
    ends = [min(predicted.min(), gold.min()), max(predicted.max(), gold.max())]
    errors = predicted - gold

    def scatter(axes: "Axes") -> None:
        axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1)
        axes.scatter(gold[rows], predicted[rows], s=9, color=BLUE, alpha=0.4, linewidth=0)
        axes.set_xlabel("label")
        axes.set_ylabel("predicted")

    summary = Facts(
        [("mean absolute error", float(np.abs(errors).mean())), ("mean error", float(errors.mean())),
         ("standard deviation of the error", float(errors.std()))]
    )  # fmt: skip
    residuals = plots.histogram("Prediction minus label", errors, "error", [(0.0, "no error")])
    title = f"Predicted and label{f', a sample of {MOST_POINTS:,}' if len(gold) > MOST_POINTS else ''}"
    yield ReportSection("Errors", [summary, plots.picture(title, scatter, legend=[(GREY, "equal")]), residuals])
    order = np.argsort(-np.abs(errors), kind="stable").tolist()
    facts = [[("label", float(gold[i])), ("predicted", float(predicted[i]))] for i in order]
    yield ReportSection("Worst errors", [worst("The largest errors", measured, order, facts)])
