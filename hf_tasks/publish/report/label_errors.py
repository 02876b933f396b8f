"""Suspected label errors: examples for which the model confidently predicts another label.

Confident learning (Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125): the threshold of a label is
its mean probability over the examples that have it. An example is suspected if the most probable of the labels that
reach their threshold is not its own. The model must not have been trained on these examples.
"""

from collections.abc import Sequence

import numpy as np

from hf_tasks.publish.report.blocks import Example, Examples, Paragraph, ReportSection, plain
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.report.text_classification import labels_of, probabilities

MOST = 30
EXPLANATION = (
    "Examples for which the model confidently predicts another label; some are errors of the data, some of the model. "
    "Method: confident learning (Northcutt, Jiang and Chuang 2021); another label reaches the mean probability that it "
    "has on its own examples. The largest differences come first."
)


def suspected(given: np.ndarray, probabilities: np.ndarray) -> list[tuple[int, int]]:
    """(row, suggested label) of each suspect, the largest difference of the two probabilities first.

    given: (E,) the label of each example, as a column of `probabilities` (E, C).
    """
    n, labels = probabilities.shape
    own = probabilities[np.arange(n), given]
    counts = np.bincount(given, minlength=labels)
    sums = np.bincount(given, own, minlength=labels)
    thresholds = np.divide(sums, counts, out=np.full(labels, np.inf), where=counts > 0)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = confident.argmax(1)
    rows = np.flatnonzero((confident.max(1) >= 0) & (best != given))
    differences = probabilities[rows, best[rows]] - own[rows]
    return [(int(row), int(best[row])) for row in rows[np.argsort(-differences, kind="stable")]]


def single(splits: Sequence[MeasuredSplit]) -> ReportSection:
    """Suspects of tasks with one label per example."""
    found = []
    for measured in splits:
        labels, scores = labels_of(measured), probabilities(measured)
        given = np.array([labels.index(label) for label in measured.references])
        for row, other in suspected(given, scores):
            of_label, of_other = float(scores[row, given[row]]), float(scores[row, other])
            facts = [("label", labels[given[row]]), ("probability", of_label), ("may be", labels[other]),
                     ("probability", of_other)]  # fmt: skip
            found.append((of_other - of_label, _example(measured, row, facts)))
    return section(found, EXPLANATION)


def several(splits: Sequence[MeasuredSplit]) -> ReportSection:
    """Suspects of tasks with any number of labels: every label of every example is checked on its own."""
    found = []
    for measured in splits:
        scores = probabilities(measured)
        for i, label in enumerate(labels_of(measured)):
            given = np.array([int(label in row) for row in measured.references])
            for row, holds in suspected(given, np.stack([1 - scores[:, i], scores[:, i]], axis=1)):
                p = float(scores[row, i])
                facts = [("labels", ", ".join(measured.references[row]) or "none"),
                         ("perhaps missing" if holds else "perhaps wrong", label), ("its probability", p)]  # fmt: skip
                found.append((abs(2 * p - 1), _example(measured, row, facts)))
    return section(found, EXPLANATION)


def section(found: list[tuple[float, Example]], explanation: str) -> ReportSection:
    """The section that lists (difference, example) pairs, the largest differences first."""
    if not found:
        return ReportSection("Suspected label errors")
    found.sort(key=lambda one: -one[0])
    examples = [example for _, example in found[:MOST]]
    shown = Examples(f"Suspects: {len(found):,}", examples, len(found) - len(examples))
    return ReportSection("Suspected label errors", [Paragraph(explanation), shown])


def _example(measured: MeasuredSplit, row: int, facts: list[tuple[str, object]]) -> Example:
    example = measured.rows[row]
    passages = [("", plain(example[name])) for name in ("text", "text_pair") if name in example]
    return Example(f"{measured.name}, {measured.where(row)}", facts, passages)
