"""How far a score can be trusted: confidence intervals, and tests of two systems on the same examples."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks import metrics
from hf_tasks.metrics import ranks
from hf_tasks.metrics.sums import Sums, sums

RESAMPLES = 1000
SEED = 0
CHUNK = 50
"""Resamples drawn at a time: memory grows with CHUNK x examples."""
FEW_RESAMPLES = 200
LONGEST = 10.0
"""Seconds that the few resamples of a metric may take that is known by its values alone."""


def intervals(
    names: tuple[str, ...],
    predictions: list[Any],
    references: list[Any],
    memory: Mapping[str, Any] | None = None,
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
            found |= _percentiles(_drawn(name, predictions, references, memory), level)
    return found


def _drawn(
    name: str, predictions: list[Any], references: list[Any], memory: Mapping[str, Any] | None
) -> dict[str, np.ndarray]:
    """The values of a metric for every resample."""
    if form := sums(name, predictions, references, memory):
        return form.values(_resampled(form.counts))
    if name == "spearman":
        return {name: _spearman(predictions, references)}
    return {} if name in metrics.METRICS else _one_by_one(metrics.find(name), predictions, references)


def _spearman(predictions: list[float], references: list[float]) -> np.ndarray:
    weigh = _weights(len(references))
    return _in_chunks(lambda chunk: ranks.of_resamples(predictions, references, weigh(chunk)))


def _one_by_one(metric: metrics.Metric, predictions: list[Any], references: list[Any]) -> dict[str, np.ndarray]:
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


def value_of(form: Sums, rows: np.ndarray) -> dict[str, float]:
    """The values of some of the examples."""
    return {key: float(value[0]) for key, value in form.values(form.counts[rows].sum(0, keepdims=True)).items()}


def interval_of(form: Sums, rows: np.ndarray, level: float = 0.95) -> dict[str, list[float]]:
    """The intervals of some of the examples."""
    return _percentiles(form.values(_resampled(form.counts[rows])), level)


def _percentiles(drawn: dict[str, np.ndarray], level: float) -> dict[str, list[float]]:
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
    names: tuple[str, ...],
    first: list[Any],
    second: list[Any],
    references: list[Any],
    memories: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Iterator[PairedTest]:
    """A test for every value that has one: McNemar's for accuracy, approximate randomisation for the others.
    `memories`: what metrics ask for by parameter name, of either system."""
    for name in names:
        if name == "spearman":
            yield _compare_ranks(first, second, references)
        a, b = (sums(name, side, references, memory) for side, memory in zip((first, second), memories, strict=True))
        if a is None or b is None:
            continue
        values = [{key: float(value[0]) for key, value in form.values(_total(form)).items()} for form in (a, b)]
        drawn = [form.values(_resampled(form.counts)) for form in (a, b)]
        p = {"accuracy": mcnemar(a.counts[:, 0], b.counts[:, 0])} if name == "accuracy" else randomisation(a, b)
        for key, probability in p.items():
            low, high = np.percentile(drawn[1][key] - drawn[0][key], [2.5, 97.5])
            method = "McNemar, exact" if name == "accuracy" else "approximate randomisation"
            yield PairedTest(key, values[0][key], values[1][key], (float(low), float(high)), probability, method)


def _compare_ranks(first: list[float], second: list[float], references: list[float]) -> PairedTest:
    generator, both = np.random.default_rng(SEED), np.array([first, second], float)

    def differences(chunk: int) -> np.ndarray:
        tosses = generator.integers(0, 2, (chunk, len(references))).astype(bool)
        here, there = (np.where(tosses, *sides) for sides in (both, both[::-1]))
        return np.asarray(ranks.of_predictions(there, references) - ranks.of_predictions(here, references))

    one, other = map(float, ranks.of_predictions(both, references))
    drawn = _spearman(second, references) - _spearman(first, references)
    low, high = np.percentile(drawn, [2.5, 97.5])
    p = _as_large(_in_chunks(differences), other - one)
    return PairedTest("spearman", one, other, (float(low), float(high)), p, "approximate randomisation")


def _as_large(differences: np.ndarray, seen: float) -> float:
    """The share of differences by chance, and of the one that was seen, that are as large as it."""
    return float((np.sum(np.abs(differences) >= abs(seen) - 1e-12) + 1) / (RESAMPLES + 1))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p of two systems that are right (1) or wrong (0) on each example: whether the examples that only
    one of them has right split evenly (McNemar 1947, https://doi.org/10.1007/BF02295996)."""
    from scipy.stats import binomtest

    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    return float(binomtest(only_first, only_first + only_second).pvalue) if only_first + only_second else 1.0


def randomisation(first: Sums, second: Sums) -> dict[str, float]:
    """Two-sided p of each value: how often a difference as large arises when the two outputs of each example are
    exchanged by the toss of a coin (Riezler and Maxwell 2005, https://aclanthology.org/W05-0908)."""
    generator = np.random.default_rng(SEED)
    change = second.counts - first.counts

    def tosses(n: int) -> np.ndarray:
        return np.asarray(generator.integers(0, 2, (n, len(change))).astype(float) @ change)

    moved = _in_chunks(tosses)
    here, there = first.values(_total(first) + moved), second.values(_total(second) - moved)
    seen = {key: value[0] - first.values(_total(first))[key][0] for key, value in second.values(_total(second)).items()}
    return {key: _as_large(there[key] - here[key], difference) for key, difference in seen.items()}


def _total(form: Sums) -> np.ndarray:
    return np.asarray(form.counts.sum(0, keepdims=True))


def _resampled(counts: np.ndarray) -> np.ndarray:
    """(RESAMPLES, K): the sums over examples drawn with replacement, the same draws for the same number of examples."""
    weigh = _weights(len(counts))
    return _in_chunks(lambda chunk: np.asarray(weigh(chunk) @ counts))


def _weights(n: int) -> Callable[[int], np.ndarray]:
    """Draws (chunk, n): how often each of n examples occurs in further resamples."""
    generator = np.random.default_rng(SEED)

    def draw(chunk: int) -> np.ndarray:
        rows = generator.integers(0, n, (chunk, n)) + n * np.arange(chunk)[:, None]
        return np.bincount(rows.ravel(), minlength=chunk * n).reshape(chunk, n).astype(float)

    return draw


def _in_chunks(draw: Callable[[int], np.ndarray]) -> np.ndarray:
    return np.concatenate([draw(CHUNK) for _ in range(RESAMPLES // CHUNK)])
