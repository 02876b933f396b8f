"""Sections of text classification: classes and their confusions, precision and recall, calibration, worst errors.

Sections of tasks that predict a number: similarity of texts, ratings."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_tasks.metrics import calibration
from hf_tasks.metrics.classification import per_class
from hf_tasks.publish.report import occlusion, pictures
from hf_tasks.publish.report.blocks import Block, Example, Examples, Facts, Section, Table, first
from hf_tasks.publish.report.measured import Measured
from hf_tasks.publish.report.pictures import BLUE, MUTED, SERIES
from hf_tasks.tasks import TextClassification

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Facted = Sequence[tuple[str, Any]]

MOST_CLASSES = 20
"""Of a confusion matrix."""
MOST_CONFUSED = 12
"""Of more classes, so many of those that are confused most."""
MOST_PAIRS = 12
MOST_ROWS = 100
MOST_LINES = 5
"""Labels with a precision-recall curve of their own."""
WORST = 20


def single(measured: Measured) -> Iterator[Section]:
    """One label an example."""
    labels = labels_of(measured)
    gold, found = np.array(measured.references, object), np.array(measured.answers, object)
    truth = np.stack([gold == label for label in labels], axis=1)  # (E, C)
    scores = probabilities(measured)  # (E, C)
    yield Section("Classes", [*confusion_blocks(labels, gold, found), _per_label(measured, truth, scores)])
    sure = np.array([prediction["score"] for prediction in measured.predictions])
    chosen = np.stack([found == label for label in labels], axis=1)
    decided = Facts([("temperature", task_of(measured).temperature), *_threshold_of_two(task_of(measured))])
    blocks = [*_calibration(sure, gold == found, "predicted labels"), *_precision_recall(labels, truth, chosen, scores)]
    yield Section("Probabilities", [*blocks, decided])
    yield Section("Worst errors", [_worst(measured, gold, found, scores)])


def several(measured: Measured) -> Iterator[Section]:
    """Any number of labels an example."""
    labels = labels_of(measured)
    truth = np.array([[label in row for label in labels] for row in measured.references])  # (E, C)
    scores = probabilities(measured)
    yield Section("Labels", [_per_label(measured, truth, scores)])
    sure, right = np.where(scores > 0.5, scores, 1 - scores).ravel(), ((scores > 0.5) == truth).ravel()
    chosen = np.array([[label in row for label in labels] for row in measured.answers])
    blocks = _calibration(sure, right, "decisions at 0.5, one for each label")
    blocks += _precision_recall(labels, truth, chosen, scores)
    yield Section("Probabilities", [*blocks, Facts([("temperature", task_of(measured).temperature)])])
    yield Section("Worst errors", [_worst_of_several(measured, labels, truth, scores)])


def task_of(measured: Measured) -> TextClassification:
    assert isinstance(measured.task, TextClassification)
    return measured.task


def labels_of(measured: Measured) -> list[str]:
    return list(task_of(measured).labels)


def _threshold_of_two(task: TextClassification) -> list[tuple[str, Any]]:
    return [(f"threshold of {task.labels[1]}", task.threshold_of(task.labels[1]))] if len(task.labels) == 2 else []


def probabilities(measured: Measured) -> np.ndarray:
    """(E, C) probability of each label."""
    labels = labels_of(measured)
    return np.array([[row["probabilities"][label] for label in labels] for row in measured.predictions])


def confusion_blocks(labels: Sequence[str], gold: np.ndarray, found: np.ndarray) -> Iterator[Block]:
    """Which labels are taken for which; of many labels, those that are confused most."""
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
        yield pictures.heat_map(title, counts, chosen, chosen)
    rows = [[g, f, n, n / of_label[g] if of_label[g] else None] for (g, f), n in wrong.most_common()]
    if rows:
        yield first("Most frequent confusions", ["label", "predicted", "n", "share of the label"], rows, MOST_PAIRS)


def _per_label(measured: Measured, truth: np.ndarray, scores: np.ndarray) -> Table:
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
    return first("Each label, the lowest F1 first", columns, rows, MOST_ROWS)


def _precision_recall(labels: list[str], truth: np.ndarray, chosen: np.ndarray, scores: np.ndarray) -> Iterator[Block]:
    """The curve of the second of two labels; of more labels, of all decisions together, and of the most frequent ones.

    truth, chosen: (E, C) whether each label holds, and is predicted; scores: (E, C) its probability.
    """
    two = len(labels) == 2 and bool((truth.sum(1) == 1).all())
    often = np.argsort(-truth.sum(0), kind="stable")[: MOST_LINES if len(labels) <= MOST_CLASSES else 0].tolist()
    lines = [] if two else [Line("all decisions", truth.ravel(), chosen.ravel(), scores.ravel())]
    lines += [Line(labels[i], truth[:, i], chosen[:, i], scores[:, i]) for i in ([1] if two else often)]
    if drawn := [line for line in lines if line.truth.any()]:
        yield _curves(drawn)


class Line(NamedTuple):
    name: str
    truth: np.ndarray
    chosen: np.ndarray
    scores: np.ndarray


def _curves(lines: list[Line]) -> Block:
    """Precision against recall, and where the model decides: a dot on each curve."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    curves = [precision_recall_curve(line.truth, line.scores)[:2] for line in lines]
    means = [float(average_precision_score(line.truth, line.scores)) for line in lines]

    def draw(axes: "Axes") -> None:
        for line, (precision, recall), colour in zip(lines, curves, SERIES, strict=False):
            axes.plot(*pictures.thinned(recall, precision), color=colour)
            right = (line.truth & line.chosen).sum()
            if line.chosen.any():
                axes.plot(right / line.truth.sum(), right / line.chosen.sum(), color=colour, marker="o", markersize=6)
        axes.set_xlabel("recall (dots: as the model decides)")
        axes.set_ylabel("precision")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.02)

    texts = [
        f"{pictures.shown(line.name, 40)}, average precision {mean:.4f}"
        for line, mean in zip(lines, means, strict=True)
    ]
    return pictures.picture(
        "Precision and recall at every threshold", draw, legend=list(zip(SERIES, texts, strict=False))
    )


def _calibration(sure: np.ndarray, right: np.ndarray, what: str) -> list[Block]:
    bins = [one for one in calibration.reliability(sure, right) if one.n]
    error = calibration.expected_calibration_error(sure, right)

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        width = bins[0].high - bins[0].low
        axes.bar(
            [one.low + width / 2 for one in bins], [one.accuracy for one in bins], width * 0.9, color=BLUE, alpha=0.6
        )
        axes.plot([one.confidence for one in bins], [one.accuracy for one in bins], color=BLUE, marker="o")
        axes.set_xlabel("confidence")
        axes.set_ylabel("share that is right")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)

    facts = [
        ("expected calibration error", error), ("mean confidence", float(sure.mean())),
        ("share that is right", float(np.mean(right))), (what, len(sure)),
    ]  # fmt: skip
    legend = [(BLUE, "share that is right in each bin"), (MUTED, "as sure as right")]
    return [Facts(facts), pictures.picture("Reliability", draw, legend=legend)]


def _worst(measured: Measured, gold: np.ndarray, found: np.ndarray, scores: np.ndarray) -> Examples:
    """The wrong predictions that the model is surest of."""
    place = {label: i for i, label in enumerate(labels_of(measured))}
    wrong = np.flatnonzero(gold != found)
    sure = scores[np.arange(len(found)), [place[label] for label in found]]
    order = wrong[np.argsort(-sure[wrong], kind="stable")].tolist()
    said = [
        [("label", gold[i]), ("predicted", found[i]), ("probability", float(sure[i])),
         ("of the label", float(scores[i, place[gold[i]]]))]
        for i in order[:WORST]
    ]  # fmt: skip
    title = f"Wrong and sure: {len(wrong):,} of {len(gold):,} are wrong"
    return worst(title, measured, order, said, [found[i] for i in order[:WORST]])


def _worst_of_several(measured: Measured, labels: list[str], truth: np.ndarray, scores: np.ndarray) -> Examples:
    """The examples with the decision that is farthest from right."""
    away = np.abs(scores - truth)
    farthest, order = away.argmax(1), np.argsort(-away.max(1), kind="stable").tolist()
    order = [i for i in order if measured.answers[i] != measured.references[i]]
    said = [
        [("labels", ", ".join(measured.references[i]) or "none"),
         ("predicted", ", ".join(measured.answers[i]) or "none"),
         (f"probability of {labels[farthest[i]]}", float(scores[i, farthest[i]]))]
        for i in order[:WORST]
    ]  # fmt: skip
    title = f"Wrong and sure: {len(order):,} of {len(truth):,} have a wrong label"
    return worst(title, measured, order, said, [labels[farthest[i]] for i in order[:WORST]])


def worst(
    title: str, measured: Measured, order: list[int], said: Sequence[Facted], labels: Sequence[str] | None = None
) -> Examples:
    """The first examples of `order`, what is said of each, and its words marked by what they do to the probability of
    the example's one of `labels`; without labels, to the predicted number."""
    shown = order[:WORST]
    marked = occlusion.marked(measured.run, [measured.rows[i] for i in shown], labels or [None] * len(shown))
    each = zip(shown, said[:WORST], marked, strict=True)
    examples = [Example(measured.where(i), facts, passages) for i, facts, passages in each]
    return Examples(title, examples, len(order) - len(shown), occlusion.LEGEND)


MOST_POINTS = 1500
SEED = 0


def numbers(measured: Measured) -> Iterator[Section]:
    predicted, gold = np.array(measured.answers, float), np.array(measured.references, float)
    rows = np.arange(len(gold))
    if len(rows) > MOST_POINTS:
        rows = np.random.default_rng(SEED).choice(rows, MOST_POINTS, replace=False)
    ends = [min(predicted.min(), gold.min()), max(predicted.max(), gold.max())]
    errors = predicted - gold

    def scatter(axes: "Axes") -> None:
        axes.plot(ends, ends, color=MUTED, linestyle="--", linewidth=1)
        axes.scatter(gold[rows], predicted[rows], s=9, color=BLUE, alpha=0.4, linewidth=0)
        axes.set_xlabel("label")
        axes.set_ylabel("predicted")

    facts = Facts(
        [("mean absolute error", float(np.abs(errors).mean())), ("mean error", float(errors.mean())),
         ("standard deviation of the error", float(errors.std()))]
    )  # fmt: skip
    residuals = pictures.histogram("Predicted less label", errors, "error", [(0.0, "right")])
    title = f"Predicted and label{f', {MOST_POINTS:,} examples drawn' if len(gold) > MOST_POINTS else ''}"
    yield Section("Errors", [facts, pictures.picture(title, scatter, legend=[(MUTED, "equal")]), residuals])
    order = np.argsort(-np.abs(errors), kind="stable").tolist()
    said = [[("label", float(gold[i])), ("predicted", float(predicted[i]))] for i in order]
    yield Section("Worst errors", [worst("The largest errors", measured, order, said)])
