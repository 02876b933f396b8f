"""How far a score can be trusted: confidence intervals, and tests of two systems on the same examples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks.metrics.sums import Sums, sums

RESAMPLES = 1000
SEED = 0
CHUNK = 50
"""Resamples drawn at a time: memory grows with CHUNK x examples."""


def intervals(
    names: tuple[str, ...], predictions: list[Any], references: list[Any], level: float = 0.95
) -> dict[str, list[float]]:
    """[low, high] of every value that has one: percentiles of the metric over resamples of the examples, drawn with
    replacement (Efron 1979, https://doi.org/10.1214/aos/1176344552)."""
    found: dict[str, list[float]] = {}
    for name in names:
        form = sums(name, predictions, references)
        if form is not None and len(references) > 1:
            found |= _percentiles(form.values(_resampled(form.counts)), level)
    return found


def value_of(form: Sums, rows: np.ndarray) -> dict[str, float]:
    """The values of some of the examples."""
    return {key: float(value[0]) for key, value in form.values(form.counts[rows].sum(0, keepdims=True)).items()}


def interval_of(form: Sums, rows: np.ndarray, level: float = 0.95) -> dict[str, list[float]]:
    """The intervals of some of the examples."""
    return _percentiles(form.values(_resampled(form.counts[rows])), level)


def _percentiles(drawn: dict[str, np.ndarray], level: float) -> dict[str, list[float]]:
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    return {key: [float(v) for v in np.percentile(value, tails)] for key, value in drawn.items()}


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


def compare(names: tuple[str, ...], first: list[Any], second: list[Any], references: list[Any]) -> Iterator[PairedTest]:
    """A test for every value that has one: McNemar's for accuracy, approximate randomisation for the others."""
    for name in names:
        a, b = sums(name, first, references), sums(name, second, references)
        if a is None or b is None:
            continue
        values = [{key: float(value[0]) for key, value in form.values(_total(form)).items()} for form in (a, b)]
        drawn = [form.values(_resampled(form.counts)) for form in (a, b)]
        p = {"accuracy": mcnemar(a.counts[:, 0], b.counts[:, 0])} if name == "accuracy" else randomisation(a, b)
        for key, probability in p.items():
            low, high = np.percentile(drawn[1][key] - drawn[0][key], [2.5, 97.5])
            method = "McNemar, exact" if name == "accuracy" else "approximate randomisation"
            yield PairedTest(key, values[0][key], values[1][key], (float(low), float(high)), probability, method)


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
    return {
        key: float((np.sum(np.abs(there[key] - here[key]) >= abs(difference) - 1e-12) + 1) / (RESAMPLES + 1))
        for key, difference in seen.items()
    }


def _total(form: Sums) -> np.ndarray:
    return np.asarray(form.counts.sum(0, keepdims=True))


def _resampled(counts: np.ndarray) -> np.ndarray:
    """(RESAMPLES, K): the sums over examples drawn with replacement, the same draws for the same number of examples."""
    generator, n = np.random.default_rng(SEED), len(counts)

    def draws(chunk: int) -> np.ndarray:
        rows = generator.integers(0, n, (chunk, n)) + n * np.arange(chunk)[:, None]
        return np.asarray(np.bincount(rows.ravel(), minlength=chunk * n).reshape(chunk, n).astype(float) @ counts)

    return _in_chunks(draws)


def _in_chunks(draw: Callable[[int], np.ndarray]) -> np.ndarray:
    return np.concatenate([draw(CHUNK) for _ in range(RESAMPLES // CHUNK)])
