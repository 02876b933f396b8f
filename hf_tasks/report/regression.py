"""Sections of tasks that predict a number: similarity of texts, ratings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.report import pictures
from hf_tasks.report.blocks import Facts, Section
from hf_tasks.report.classification import worst
from hf_tasks.report.measured import Measured
from hf_tasks.report.pictures import BLUE, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
