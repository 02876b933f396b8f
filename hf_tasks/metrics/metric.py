"""Metric: sufficient statistics of each example, from which value, interval and paired test follow."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

Values = dict[str, np.ndarray]
"""The values of a metric, (R,) each, for R corpora such as resamples."""


@dataclass(frozen=True)
class Value:
    """A number in results.json."""

    description: str
    hub_name: str = ""
    """The Hub's name of the metric, where it is not the family in our name, such as f1 in `f1_macro`."""
    is_score: bool = True
    """Whether it measures the quality of the model by itself; false for counts such as `n`."""
    proportion: bool = False
    """Whether it is a share of the examples, so that Wilson's interval applies."""
    lowest: float = 0.0
    highest: float = 1.0
    """The limits of the value; 100 of a percentage."""


class Statistics(ABC):
    """The statistics of a metric for each example; they give its values for any selection of the examples."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def table(self) -> np.ndarray:
        """The statistics as numbers (E, K), a row for each example; `Metric.restored` turns them back."""

    @abstractmethod
    def values(self, weights: np.ndarray) -> Values:
        """The values of R corpora in which example e occurs weights[r, e] times, (R, E)."""

    @abstractmethod
    def exchanged(self, other: Any, tosses: np.ndarray) -> Values:
        """The values of R systems that answer as `other` where tosses (R, E) are true, and as this one elsewhere."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> "Statistics":
        """The statistics of some of the examples."""

    def remarks(self) -> dict[str, str]:
        """Remarks on values, by the name of the value."""
        return {}

    def no_interval(self) -> dict[str, str]:
        """The reason why a value has no interval, by the name of the value."""
        return {}

    def without(self, groups: np.ndarray) -> Values:
        """The values (G,) without the examples of each group; groups (E,) from 0 to G - 1."""
        chunks = [
            self.values((groups != np.arange(start, min(start + 100, groups.max() + 1))[:, None]).astype(float))
            for start in range(0, groups.max() + 1, 100)
        ]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def total(self) -> dict[str, float]:
        """The values of all examples; nan where there is none."""
        values = self.values(np.ones((1, len(self))))
        return {name: float(value[0]) if len(self) else np.nan for name, value in values.items()}


@dataclass(frozen=True)
class Sums(Statistics):
    """Sufficient statistics: the values follow from their sum over the examples."""

    counts: np.ndarray
    """The K sufficient statistics of each example, (E, K) float64."""
    of_sums: Callable[[np.ndarray], Values]
    """From sums (R, K) to the metric's values."""
    tables: Callable[[], dict[str, Any]] = dict
    """Further tables from the same counts, such as a row for each entity type."""
    remarks_of: Callable[[np.ndarray], dict[str, str]] = field(default=lambda sums: {}, kw_only=True)
    """As `remarks`, from the sums (K,) over all examples."""
    no_interval_of: Callable[[np.ndarray], dict[str, str]] = field(default=lambda sums: {}, kw_only=True)

    def __len__(self) -> int:
        return len(self.counts)

    def table(self) -> np.ndarray:
        return self.counts

    def values(self, weights: np.ndarray) -> Values:
        return self.of_sums(weights @ self.counts)

    def exchanged(self, other: "Sums", tosses: np.ndarray) -> Values:
        return self.of_sums(self.counts.sum(0) + tosses.astype(float) @ (other.counts - self.counts))

    def without(self, groups: np.ndarray) -> Values:
        order = np.argsort(groups, kind="stable")
        starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
        return self.of_sums(self.counts.sum(0) - np.add.reduceat(self.counts[order], starts))

    def take(self, rows: np.ndarray) -> "Sums":
        return Sums(self.counts[rows], self.of_sums, remarks_of=self.remarks_of, no_interval_of=self.no_interval_of)

    def remarks(self) -> dict[str, str]:
        return self.remarks_of(self.counts.sum(0))

    def no_interval(self) -> dict[str, str]:
        return self.no_interval_of(self.counts.sum(0))

    def total(self) -> dict[str, float]:
        values = self.of_sums(self.counts.sum(0, keepdims=True))
        return {name: float(value[0]) if len(self) else np.nan for name, value in values.items()}


@dataclass(frozen=True)
class Metric:
    """A callable (predictions, references, ...) -> {name: value}; the first value is the metric's own.

    `statistics` and `more` may ask, by parameter name, for statistics of the training data (`Task.train_stats`),
    for the context of the examples and the confidence of the predictions (`Task.metric_inputs`).
    """

    described: Mapping[str, Value] = field(default_factory=dict)
    statistics: Callable[..., Statistics] | None = None
    """The function that computes the statistics; None for metrics of tables alone or from `evaluate`."""
    more: Callable[..., dict[str, Any]] | None = None
    """Further results: tables, signatures, thresholds."""
    intervals: Callable[[Any], dict[str, tuple[float, float]]] | None = None
    """The intervals of values whose error the jackknife does not give, from the statistics."""
    of_table: Callable[[np.ndarray], Statistics] | None = None
    """From a table (E, K) back to the statistics, where those of no examples do not say how."""
    higher_is_better: bool = True
    reads: Literal["", "entities", "words"] = ""
    """What the tags must encode for the metric to be defined; "": anything."""

    def __call__(self, predictions: Sequence[Any], references: Sequence[Any], **asked: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if self.statistics:
            form = self.statistics(predictions, references, **_known(self.statistics, asked))
            values |= form.total() | (form.tables() if isinstance(form, Sums) else {})
        if self.more and len(references):
            values |= self.more(predictions, references, **_known(self.more, asked))
        return values

    @cached_property
    def asks(self) -> frozenset[str]:
        """The names of what it may ask for, beside predictions and references."""
        return frozenset(name for function in (self.statistics, self.more) if function for name in _asked(function))

    def sums(self, predictions: Sequence[Any], references: Sequence[Any], **asked: Any) -> Statistics | None:
        """The statistics; None where there are none, or where they ask for more than is known."""
        if self.statistics is None:
            return None
        needed = {name for name, one in _asked(self.statistics).items() if one.default is one.empty}
        return (
            self.statistics(predictions, references, **_known(self.statistics, asked))
            if needed <= asked.keys()
            else None
        )

    def restored(self, table: np.ndarray) -> Statistics:
        """The statistics that gave a `Statistics.table` (E, K): their values are those of the same examples."""
        if self.of_table:
            return self.of_table(table)
        form = self.sums([], [], **NOTHING)
        assert isinstance(form, Sums)
        return replace(form, counts=table)


NOTHING: dict[str, Any] = {"margins": (), "labels": (), "groups": (), "probabilities": (), "scheme": "none"}
"""What metrics ask for, of no examples."""


def _asked(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Its parameters behind predictions and references."""
    _, _, *others = inspect.signature(function).parameters.items()
    return {name: one for name, one in others if one.kind is not one.KEYWORD_ONLY}


def _known(function: Callable[..., Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in _asked(function) if name in asked}


# -- for statistics


def with_one(*columns: np.ndarray) -> np.ndarray:
    """The columns, and a last one of ones that counts the examples, (E, columns + 1)."""
    return np.stack([*columns, np.ones(len(columns[0]))], axis=1)


def share(numerator: np.ndarray, whole: np.ndarray, of_nothing: float = 0.0) -> np.ndarray:
    """numerator / whole; `of_nothing` where whole is 0, nan where whole is nan."""
    return np.asarray(np.divide(numerator, whole, out=np.full(np.shape(numerator), of_nothing), where=~(whole <= 0)))


def means(columns: Mapping[str, np.ndarray], scale: float = 1.0) -> Sums:
    """The mean of each column (E,), times `scale`."""
    counts = with_one(*(np.asarray(column, float) for column in columns.values()))
    return Sums(counts, lambda s: {name: scale * share(s[:, i], s[:, -1]) for i, name in enumerate(columns)})
