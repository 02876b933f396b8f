"""95 % confidence intervals of metrics.

Proportions of examples have Wilson's interval (1927, https://doi.org/10.1080/01621459.1927.10502953). Other values have
Student's interval with the jackknife's standard error (Efron and Stein 1981, https://doi.org/10.1214/aos/1176345462),
on a scale without bounds: the logit of shares, Fisher's z of correlations, the logarithm of errors. It covers where
percentiles and BCa of a bootstrap do not (benchmarks/interval_coverage.py); a note says why a value has none.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np

from hf_tasks import metrics
from hf_tasks.metrics.metric import Metric, Statistics, Value

LEVEL = 0.95
LEFT_OUT_ONE_BY_ONE = 2000
"""With more examples than this, the jackknife leaves out random groups."""
GROUPS = 200
FEW_RESAMPLES = 200
LONGEST = 10.0
"""The most seconds for the bootstrap of a metric without sufficient statistics."""

Ends = tuple[float, float]


@dataclass(frozen=True)
class Uncertainty:
    intervals: dict[str, list[float]] = field(default_factory=dict)
    """[low, high] of each value that has an interval."""
    notes: dict[str, str] = field(default_factory=dict)
    """Remarks on values, such as why a value has no interval."""


def uncertainty(
    names: Sequence[str],
    predictions: Sequence[Any],
    references: Sequence[Any],
    memory: Mapping[str, Any] = MappingProxyType({}),
) -> Uncertainty:
    """The intervals and notes of all values of several metrics. `memory`: keyword arguments of metrics, by name.

    A metric that is not ours is computed anew for bootstrap resamples, where that takes no more than seconds.
    """
    found = Uncertainty()
    for name in names:
        metric = metrics.find(name)
        form = metric.sums(predictions, references, **memory)
        if form:
            one = uncertainty_of(metric, form)
            found.intervals.update(one.intervals)
            found.notes.update(one.notes)
        elif name not in metrics.METRICS and len(references) > 1:
            found.intervals.update(_percentiles(metric, predictions, references))
    return found


def uncertainty_of(metric: Metric, form: Statistics) -> Uncertainty:
    """The intervals and notes of the values of one metric."""
    found = Uncertainty(notes=form.remarks())
    if len(form) < 2:
        return found
    jackknife, own = Jackknife.of(form), form.no_interval() | (metric.intervals(form) if metric.intervals else {})
    for name, value in form.total().items():
        kind = metric.described.get(name, Value(""))
        interval = own.get(name) or _interval(kind, value, jackknife, name, len(form))
        if isinstance(interval, str):
            found.notes[name] = "; ".join([*filter(None, [found.notes.get(name)]), interval])
        else:
            found.intervals[name] = [float(end) for end in interval]
    return found


@dataclass(frozen=True)
class Jackknife:
    """The values of a metric without each example, or without each of many groups of them."""

    values: dict[str, np.ndarray]
    """(G,) each."""

    @classmethod
    def of(cls, form: Statistics) -> "Jackknife":
        n = len(form)
        if n <= LEFT_OUT_ONE_BY_ONE:
            return cls(form.without(np.arange(n)))
        return cls(form.without(np.random.default_rng(0).permutation(n) % GROUPS))

    def half(self, name: str) -> float:
        """Half of a value's interval: its standard error times Student's quantile; nan where a value is not defined
        without some of the examples."""
        from scipy.stats import t

        values = self.values[name]
        g = len(values)
        error = np.sqrt((g - 1) / g * ((values - values.mean()) ** 2).sum())
        return float(error * t.ppf((1 + LEVEL) / 2, g - 1))


def _interval(kind: Value, value: float, jackknife: Jackknife, name: str, n: int) -> Ends | str:
    """The interval of a value of n examples, or the reason why it has none."""
    if np.isnan(value):
        return "not a number"
    if kind.proportion:
        low, high = wilson(value / kind.highest, n)
        return kind.highest * low, kind.highest * high
    half = jackknife.half(name)
    if np.isnan(half):
        return "no interval: too few examples"
    if value in (kind.lowest, kind.highest):
        return "no interval: the value is at its limit"
    scale, back, slope = _scale(kind, value)
    return back(scale - half * slope), back(scale + half * slope)


def wilson(share: float, n: int) -> Ends:
    """The interval of a proportion of n examples."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _scale(kind: Value, value: float) -> tuple[float, Any, float]:
    """(the value on a scale without bounds, the function back from there, the scale's slope at the value)."""
    if kind.highest == np.inf:
        return np.log(value), np.exp, 1 / value
    span = kind.highest - kind.lowest
    share = (value - kind.lowest) / span  # of correlations, this logit is twice Fisher's z
    return (
        np.log(share / (1 - share)),
        lambda logit: kind.lowest + span / (1 + np.exp(-logit)),
        1 / (share * (1 - share) * span),
    )


def _percentiles(metric: Metric, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, list[float]]:
    """Of bootstrap resamples (Efron 1979, https://doi.org/10.1214/aos/1176344552); nothing where they are too slow."""
    generator, n = np.random.default_rng(0), len(references)
    values: dict[str, list[float]] = {}
    began = time.perf_counter()
    for done in range(1, FEW_RESAMPLES + 1):
        rows = generator.integers(0, n, n)
        drawn = metric([predictions[i] for i in rows], [references[i] for i in rows])
        for key, value in drawn.items():
            if isinstance(value, int | float):
                values.setdefault(key, []).append(value)
        if (time.perf_counter() - began) / done * FEW_RESAMPLES > LONGEST:
            return {}
    ends = {key: np.percentile(drawn, [2.5, 97.5]).tolist() for key, drawn in values.items() if len(drawn) == done}
    return {key: [float(end) for end in one] for key, one in ends.items()}
