"""Suspected label errors: examples whose label the model confidently disagrees with.

Confident learning (Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125): the threshold of a label is
the model's mean probability of it over the examples that have it. An example is suspected where, of the labels whose
probability reaches their threshold, the most probable one is not its own. For predictions of texts that the model has
not been trained on.
"""

from collections.abc import Sequence

import numpy as np

from hf_tasks.report.blocks import Marked, Paragraph, Section, clipped, first, plain
from hf_tasks.report.classification import labels_of, probabilities
from hf_tasks.report.measured import Measured

MOST = 40
WHAT = (
    "Labels that the model disagrees with, and confidently: some will be errors of the data, others of the model. "
    "Confident learning (Northcutt, Jiang and Chuang 2021): another label reaches the mean probability that it has "
    "where it is the label. The largest differences first."
)


def suspected(given: np.ndarray, probabilities: np.ndarray) -> list[tuple[int, int]]:
    """(row, label it may rather have), the largest differences of the two probabilities first.

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


def single(parts: Sequence[Measured]) -> Section:
    """Of texts with one label each."""
    found = []
    for measured in parts:
        labels = labels_of(measured)
        scores = probabilities(measured)
        given = np.array([labels.index(label) for label in measured.references])
        for row, other in suspected(given, scores):
            own = float(scores[row, given[row]])
            found.append([measured.where(row), labels[given[row]], own, labels[other], float(scores[row, other]),
                          _text(measured, row)])  # fmt: skip
    return _section(found, ["label", "probability", "may be", "probability"])


def several(parts: Sequence[Measured]) -> Section:
    """Of texts with any number of labels: each label is a decision of its own, whether it holds."""
    found = []
    for measured in parts:
        labels = labels_of(measured)
        scores = probabilities(measured)
        for i, label in enumerate(labels):
            given = np.array([int(label in row) for row in measured.references])
            for row, holds in suspected(given, np.stack([1 - scores[:, i], scores[:, i]], axis=1)):
                says = "is missing" if holds else "should go"
                found.append([measured.where(row), label, says, float(scores[row, i]), _text(measured, row)])
    return _section(found, ["label", "it perhaps", "its probability"])


def _section(found: list[list[object]], columns: list[str]) -> Section:
    if not found:
        return Section("Suspected label errors")
    table = first(f"{len(found):,} suspects", ["where", *columns, "text"], found, MOST)
    return Section("Suspected label errors", [Paragraph(WHAT), table])


def _text(measured: Measured, row: int) -> Marked:
    example = measured.rows[row]
    return plain(" ⏐ ".join(clipped(example[name], 240) for name in ("text", "text_pair") if name in example))
