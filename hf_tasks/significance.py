"""How far a score can be trusted: confidence intervals, and tests of two systems on the same examples."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from hf_tasks import metrics
from hf_tasks.metrics.classification import classes
from hf_tasks.metrics.metric import Metric, Statistics, Sums, Values

RESAMPLES = 1000
SEED = 0
CHUNK = 50
"""Resamples drawn at a time: memory grows with CHUNK x examples."""
FEW_RESAMPLES = 200
LONGEST = 10.0
"""Seconds that the few resamples of a metric may take that is known by its values alone."""


def intervals(
    names: Sequence[str],
    predictions: Sequence[Any],
    references: Sequence[Any],
    memory: Mapping[str, Any] = MappingProxyType({}),
    level: float = 0.95,
) -> dict[str, list[float]]:
    """[low, high] of every value that has one: percentiles of the metric over resamples of the examples, drawn with
    replacement (Efron 1979, https://doi.org/10.1214/aos/1176344552).

    `memory`: what metrics ask for by parameter name. A metric that is not ours is computed anew for each of fewer
    resamples, where that takes no more than seconds.
    """
    found: dict[str, list[float]] = {}
    for name in names:
        if len(references) > 1:
            metric = metrics.find(name)
            form = metric.sums(predictions, references, **memory)
            if form:
                found |= interval_of(form, level)
            elif name not in metrics.METRICS:
                found |= _percentiles(_one_by_one(metric, predictions, references), level)
    return found


def _one_by_one(metric: Metric, predictions: Sequence[Any], references: Sequence[Any]) -> Values:
    generator, n = np.random.default_rng(SEED), len(references)
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
    return {key: np.array(of_all) for key, of_all in values.items() if len(of_all) == FEW_RESAMPLES}


def interval_of(form: Statistics, level: float = 0.95) -> dict[str, list[float]]:
    """[low, high] of every value of these examples."""
    return _percentiles(_resampled(form), level)


def _percentiles(drawn: Values, level: float) -> dict[str, list[float]]:
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    there = {key: value[~np.isnan(value)] for key, value in drawn.items()}
    return {key: [float(v) for v in np.percentile(value, tails)] for key, value in there.items() if len(value)}


@dataclass(frozen=True)
class PairedTest:
    """Two systems on the same examples."""

    value: str
    first: float
    second: float
    interval: tuple[float, float]
    """Of second - first, 95 %, by paired bootstrap (Koehn 2004, https://aclanthology.org/W04-3250)."""
    p: float
    """Probability of a difference as large, either way, if the systems were alike."""
    method: str


def compare(
    names: Sequence[str],
    first: Sequence[Any],
    second: Sequence[Any],
    references: Sequence[Any],
    memories: tuple[Mapping[str, Any], Mapping[str, Any]] = (MappingProxyType({}), MappingProxyType({})),
) -> Iterator[PairedTest]:
    """A test for every value that both systems have: McNemar's for accuracy, approximate randomisation for the others.
    `memories`: what metrics ask for by parameter name, of either system."""
    for name in names:
        metric = metrics.find(name)
        asked = [dict(memory) for memory in memories]
        if "labels" in metric.asks:  # one set of classes for both
            asked = [memory | {"labels": classes(first, second, references)} for memory in asked]
        a, b = (metric.sums(s, references, **known) for s, known in zip((first, second), asked, strict=True))
        if a is None or b is None:
            continue
        one, other, drawn = a.total(), b.total(), [_resampled(form) for form in (a, b)]
        match a, b:
            case Sums(), Sums() if name == "accuracy":
                p = {name: mcnemar(a.counts[:, 0], b.counts[:, 0])}
            case _:
                p = randomisation(a, b)
        for key, probability in p.items():
            low, high = np.percentile(drawn[1][key] - drawn[0][key], [2.5, 97.5])
            method = "McNemar, exact" if name == "accuracy" else "approximate randomisation"
            yield PairedTest(key, one[key], other[key], (float(low), float(high)), probability, method)


def _as_large(differences: np.ndarray, seen: float) -> float:
    """The share of differences by chance, and of the one that was seen, that are as large as it."""
    return float((np.sum(np.abs(differences) >= abs(seen) - 1e-12) + 1) / (RESAMPLES + 1))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p of two systems that are right (1) or wrong (0) on each example: whether the examples that only
    one of them has right split evenly (McNemar 1947, https://doi.org/10.1007/BF02295996)."""
    from scipy.stats import binomtest

    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    return float(binomtest(only_first, only_first + only_second).pvalue) if only_first + only_second else 1.0


def randomisation(first: Statistics, second: Statistics) -> dict[str, float]:
    """Two-sided p of each value: how often a difference as large arises when the two outputs of each example are
    exchanged by the toss of a coin (Riezler and Maxwell 2005, https://aclanthology.org/W05-0908)."""
    generator = np.random.default_rng(SEED)
    seen = {key: second.total()[key] - value for key, value in first.total().items() if key in second.total()}

    def differences(_: int) -> Values:
        tosses = generator.integers(0, 2, (CHUNK, len(first))).astype(bool)
        here, there = first.exchanged(second, tosses), second.exchanged(first, tosses)
        return {key: there[key] - here[key] for key in seen}

    drawn = _in_chunks(differences)
    return {key: _as_large(drawn[key], difference) for key, difference in seen.items()}


def _resampled(form: Statistics) -> Values:
    """(RESAMPLES,) of each value: of examples drawn with replacement, the same draws for the same number of them."""
    generator, n = np.random.default_rng(SEED), len(form)

    def values(_: int) -> Values:
        rows = generator.integers(0, n, (CHUNK, n)) + n * np.arange(CHUNK)[:, None]
        return form.values(np.bincount(rows.ravel(), minlength=CHUNK * n).reshape(CHUNK, n).astype(float))

    return _in_chunks(values)


def _in_chunks(draw: Callable[[int], Values]) -> Values:
    chunks = [draw(i) for i in range(RESAMPLES // CHUNK)]
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
