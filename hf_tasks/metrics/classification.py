"""Metrics of classification and regression.

Predictions and references are label names; lists of label names where an example has several labels; or numbers.
`labels`: all labels of the task, also those that do not occur.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hf_tasks.metrics.metric import Metric, Statistics, Sums, Value, Values, means, share

Ratio = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

FEW = 5
"""True examples that each label needs for an interval of a macro average, see benchmarks/interval_coverage.py."""
NAMED = 5

RATIOS: dict[str, Ratio] = {
    "f1": lambda right, found, expected: share(2 * right, found + expected),
    "precision": lambda right, found, expected: share(right, found),
    "recall": lambda right, found, expected: share(right, expected),
}
"""Functions of the numbers of correct, predicted and true items; 0 where the denominator is 0."""


def _accuracy(predictions: Sequence[Any], references: Sequence[Any]) -> Sums:
    right = [_labels(p) == _labels(r) for p, r in zip(predictions, references, strict=True)]
    return means({"accuracy": np.array(right, float)})


def _labels(answer: Any) -> frozenset[Any]:
    return frozenset(answer) if isinstance(answer, list) else frozenset([answer])


def classes(*answers: Iterable[Any]) -> list[str]:
    """The labels that occur in answers, sorted."""
    return sorted(frozenset[str]().union(*(_labels(answer) for several in answers for answer in several)))


def _counts(predictions: Sequence[Any], references: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    """(E, 3 x C) for each class: whether it is right, predicted, expected."""
    column = {name: i for i, name in enumerate(names)}

    def flags(answers: Sequence[Any]) -> np.ndarray:
        places = [(row, column[label]) for row, answer in enumerate(answers) for label in _labels(answer)]
        there = np.zeros((len(answers), len(names)))
        there[tuple(np.array(places, int).reshape(-1, 2).T)] = 1
        return there

    found, expected = flags(predictions), flags(references)
    return np.hstack([found * expected, found, expected])


def _averages(name: str) -> Callable[..., Sums]:
    """F1, precision or recall over the classes that occur: macro first for one label an example, micro for several."""
    ratio = RATIOS[name]

    def statistics(predictions: Sequence[Any], references: Sequence[Any], labels: Sequence[str] = ()) -> Sums:
        several = len(references) > 0 and isinstance(references[0], list)
        order = ("micro", "macro", "weighted") if several else ("macro", "micro", "weighted")

        def of_sums(s: np.ndarray) -> Values:
            right, found, expected = np.split(s, 3, axis=1)  # (R, C)
            each = ratio(right, found, expected)
            values = {
                "macro": share(each.sum(1), (found + expected > 0).sum(1).astype(float)),
                "micro": ratio(right.sum(1), found.sum(1), expected.sum(1)),
                "weighted": share((each * expected).sum(1), expected.sum(1)),
            }
            return {f"{name}_{kind}": values[kind] for kind in order}

        names = classes(predictions, references, labels)
        counts = _counts(predictions, references, names)
        return Sums(counts, of_sums, remarks_of=partial(_left_out, name, names), no_interval_of=partial(_rare, name))

    return statistics


def _left_out(name: str, names: Sequence[str], sums: np.ndarray) -> dict[str, str]:
    """A remark where labels have no share in a macro average."""
    _, found, expected = np.split(sums, 3)
    absent = [label for label, n in zip(names, found + expected, strict=True) if not n]
    shown = ", ".join(absent[:NAMED]) + (", ..." if len(absent) > NAMED else "")
    words = f"without {len(absent)} of {len(names)} labels, neither true nor predicted in any example: {shown}"
    return {f"{name}_macro": words} if absent else {}


def _rare(name: str, sums: np.ndarray) -> dict[str, str]:
    """Why a macro average has no interval, where labels are rare."""
    _, found, expected = np.split(sums, 3)
    rare = int(((found + expected > 0) & (expected < FEW)).sum())
    words = f"no interval: fewer than {FEW} examples of {rare} label{'s' * (rare > 1)}"
    return {f"{name}_macro": words} if rare else {}


def _per_class(predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, Any]:
    """precision, recall, f1 and support of every class, under its name."""
    names = classes(predictions, references)
    sums = np.split(_counts(predictions, references, names).sum(0), 3)
    columns = {kind: RATIOS[kind](*sums) for kind in ("precision", "recall", "f1")}
    rows = {name: {kind: float(column[i]) for kind, column in columns.items()} for i, name in enumerate(names)}
    return {"per_class": {name: row | {"support": int(sums[2][i])} for i, (name, row) in enumerate(rows.items())}}


def _matthews(predictions: Sequence[str], references: Sequence[str], labels: Sequence[str] = ()) -> Sums:
    """Matthews (1975), https://doi.org/10.1016/0005-2795(75)90109-9, for any number of classes; 0 for a constant."""

    def of_sums(s: np.ndarray) -> Values:
        right, found, expected = np.split(s, 3, axis=1)
        n = expected.sum(1)
        covariance = right.sum(1) * n - (found * expected).sum(1)
        spread = np.sqrt((n**2 - (found**2).sum(1)) * (n**2 - (expected**2).sum(1)))
        return {"matthews_correlation": share(covariance, spread)}

    return Sums(_counts(predictions, references, classes(predictions, references, labels)), of_sums)


def _mse(predictions: Sequence[float], references: Sequence[float]) -> Sums:
    return means({"mse": (np.array(predictions, float) - np.array(references, float)) ** 2})


def _pearson(predictions: Sequence[float], references: Sequence[float]) -> Sums:
    sides = [np.array(side, float) for side in (predictions, references)]
    x, y = (side - side.mean() if len(side) else side for side in sides)

    def of_sums(s: np.ndarray) -> Values:
        sx, sy, sxx, syy, sxy, n = s.T
        spreads = [_spread(n * squares, total**2) for squares, total in ((sxx, sx), (syy, sy))]
        return {"pearson": share(n * sxy - sx * sy, np.sqrt(spreads[0] * spreads[1]))}

    return Sums(np.stack([x, y, x * x, y * y, x * y, np.ones(len(x))], axis=1), of_sums)


def _spread(squares: np.ndarray, square: np.ndarray) -> np.ndarray:
    """squares - square; 0 where nothing but rounding is left of it."""
    return np.where(squares - square <= 1e-12 * squares, 0.0, squares - square)


@dataclass(frozen=True)
class Ranks(Statistics):
    """Spearman's correlation. No sum over examples gives it: each resample has ranks of its own."""

    predictions: np.ndarray
    references: np.ndarray

    def __len__(self) -> int:
        return len(self.references)

    def table(self) -> np.ndarray:
        return np.stack([self.predictions, self.references], axis=1)

    def values(self, weights: np.ndarray) -> Values:
        """Equal values share their mean rank."""
        n = weights.sum(1)
        x, y = (_ranks(side, weights) - (n[:, None] + 1) / 2 for side in (self.predictions, self.references))
        weighted = weights * x
        spread = np.sqrt((weighted * x).sum(1) * (weights * y * y).sum(1))
        wrong = np.isnan(self.predictions).any() | np.isnan(self.references).any()
        return {"spearman": np.where(wrong, np.nan, share((weighted * y).sum(1), spread))}

    def exchanged(self, other: "Ranks", tosses: np.ndarray) -> Values:
        from scipy.stats import rankdata

        answers = np.where(tosses, other.predictions, self.predictions)  # (R, E)
        x, y = (rankdata(side, axis=-1) - (len(self) + 1) / 2 for side in (answers, self.references))
        return {"spearman": share(x @ y, np.sqrt((x * x).sum(1) * (y @ y)))}

    def take(self, rows: np.ndarray) -> "Ranks":
        return Ranks(self.predictions[rows], self.references[rows])


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R, E) the rank of each example's value (E,) in each corpus."""
    if not len(values):
        return weights
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)  # (R, G)
    return np.asarray((sizes.cumsum(1) - (sizes - 1) / 2)[:, group])


def _described(name: str, macro: str, micro: str) -> dict[str, Value]:
    weighted = f"{name.replace('f1', 'F1')} averaged over the labels by how often they occur"
    return {f"{name}_macro": Value(macro), f"{name}_micro": Value(micro), f"{name}_weighted": Value(weighted)}


accuracy = Metric(
    {"accuracy": Value("share of examples whose prediction is right; of several labels, all of them", proportion=True)},
    _accuracy,
)
f1 = Metric(
    _described(
        "f1",
        "F1, the harmonic mean of precision and recall, averaged over the labels",
        "F1 over all decisions together",
    ),
    _averages("f1"),
)
precision = Metric(
    _described(
        "precision",
        "share of predicted labels that are right, averaged over the labels",
        "share of predicted labels that are right",
    ),
    _averages("precision"),
)
recall = Metric(
    _described(
        "recall",
        "share of true labels that are found, averaged over the labels",
        "share of true labels that are found",
    ),
    _averages("recall"),
)
per_class = Metric(more=_per_class)
matthews_correlation = Metric(
    {
        "matthews_correlation": Value(
            "correlation of predicted and true labels from -1 to 1; 0 is chance (Matthews 1975)", lowest=-1
        )
    },
    _matthews,
)
pearson = Metric(
    {"pearson": Value("linear correlation of predicted and true numbers, from -1 to 1", "pearsonr", lowest=-1)},
    _pearson,
)
spearman = Metric(
    {"spearman": Value("correlation of the ranks of predicted and true numbers, from -1 to 1", "spearmanr", lowest=-1)},
    lambda predictions, references: Ranks(np.array(predictions, float), np.array(references, float)),
    of_table=lambda table: Ranks(*table.T),
)
mse = Metric(
    {
        "mse": Value(
            "mean squared error; lower is better; of 30 examples its 95 % interval covers the true value in 92 % of "
            "cases",
            highest=np.inf,
        )
    },
    _mse,
    higher_is_better=False,
)
