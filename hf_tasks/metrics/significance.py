"""Paired tests: whether two systems differ on the same examples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from hf_tasks import metrics
from hf_tasks.metrics.classification import classes
from hf_tasks.metrics.intervals import Jackknife
from hf_tasks.metrics.metric import Statistics, Sums, Values

RESAMPLES = 1000
"""Exchanges of two systems' outputs."""
SEED = 0
CHUNK = 50
"""Exchanges drawn at a time: memory grows with CHUNK x examples."""


@dataclass(frozen=True)
class PairedTest:
    """Two systems on the same examples."""

    value: str
    first: float
    second: float
    interval: tuple[float, float] | None = None
    """Of second - first, 95 %, by the jackknife; None where there is none."""
    p: float | None = None
    """Two-sided p-value: the probability of a difference at least as large if the systems were equal."""
    method: str = ""
    """The name of the test, or the reason why there is none."""


def compare(
    names: Sequence[str],
    first: Sequence[Any],
    second: Sequence[Any],
    references: Sequence[Any],
    memories: tuple[Mapping[str, Any], Mapping[str, Any]] = (MappingProxyType({}), MappingProxyType({})),
) -> Iterator[PairedTest]:
    """A test for every value that both systems have: McNemar's for accuracy, approximate randomisation for the others.
    `memories`: keyword arguments of metrics, by parameter name, for either system."""
    for name in names:
        metric = metrics.find(name)
        asked = [dict(memory) for memory in memories]
        if "labels" in metric.asks:  # one set of classes for both
            asked = [memory | {"labels": classes(first, second, references)} for memory in asked]
        a, b = (metric.sums(side, references, **known) for side, known in zip((first, second), asked, strict=True))
        if a is not None and b is not None:
            yield from tests(name, a, b)


def tests(name: str, first: Statistics, second: Statistics) -> Iterator[PairedTest]:
    totals = first.total(), second.total()
    one, other = (Jackknife.of(form).values if len(form) > 1 else {} for form in (first, second))
    p = _probabilities(name, first, second) if len(first) else {}
    for key in (key for key in totals[0] if key in totals[1]):
        values = totals[0][key], totals[1][key]
        if not len(first) or np.isnan(values).any():
            why = "a value is not a number" if len(first) else "there are no examples"
            yield PairedTest(key, *values, method=f"no test: {why}")
            continue
        half = Jackknife({key: other[key] - one[key]}).half(key) if one else np.nan
        difference = values[1] - values[0]
        interval = None if np.isnan(half) else (difference - half, difference + half)
        exact = name == "accuracy"
        yield PairedTest(key, *values, interval, p[key], "McNemar, exact" if exact else "approximate randomisation")


def _probabilities(name: str, first: Statistics, second: Statistics) -> dict[str, float]:
    match first, second:
        case Sums(), Sums() if name == "accuracy":
            return {name: mcnemar(first.counts[:, 0], second.counts[:, 0])}
        case _:
            return randomisation(first, second)


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


def _in_chunks(draw: Callable[[int], Values]) -> Values:
    chunks = [draw(i) for i in range(RESAMPLES // CHUNK)]
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
