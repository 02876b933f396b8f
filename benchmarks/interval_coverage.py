"""Do the intervals and tests keep their level? Simulated: data sets drawn from a population whose values are known.

    python benchmarks/interval_coverage.py [--simulations 1000]

Prints a table: of every interval, how often it holds the true value (95 % is right); of every paired test, how often it
finds a difference between systems that are alike, at p < 0.05 (5 % is right).
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hf_tasks.metrics import METRICS
from hf_tasks.metrics.intervals import uncertainty_of
from hf_tasks.metrics.metric import Statistics
from hf_tasks.metrics.significance import compare
from hf_tasks.training.seeds import summary, welch

POPULATION = 20_000
WORDS = np.array(["the", "cat", "sat", "on", "a", "mat", "while", "one", "dog", "ran", "to", "red", "paris", "river"])
G = np.random.default_rng(0)

Draw = Callable[[int], tuple[list[Any], list[Any], dict[str, Any]]]
"""Draws examples: (predictions, references, what the metric asks for)."""


def labels(classes: int, accuracy: float, zipf: float = 0.0) -> Draw:
    share = 1 / np.arange(1, classes + 1) ** zipf

    def draw(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
        right, other = G.choice(classes, size=(2, n), p=share / share.sum())
        found = np.where(G.random(n) < accuracy, right, other)
        return [f"c{i}" for i in found], [f"c{i}" for i in right], {}

    return draw


def numbers(correlation: float) -> Draw:
    def draw(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
        right, noise = G.normal(size=(2, n))
        return list(correlation * right + np.sqrt(1 - correlation**2) * noise), list(right), {}

    return draw


def decisions(shift: float) -> Draw:
    """Of two labels; `shift`: how much the model is too sure."""

    def draw(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
        sure = G.uniform(0.6, 1, n)
        right = G.random(n) < sure - shift
        probabilities = [{"a": float(p), "b": float(1 - p)} for p in sure]
        asked = {"decisions": [([p], [r]) for p, r in zip(sure, right, strict=True)], "probabilities": probabilities}
        return ["a"] * n, ["a" if r else "b" for r in right], asked

    return draw


def tagged(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Sentences of 5 to 30 words, some of them harder than others."""
    found, right = [], []
    for hard in G.beta(2, 12, n):
        tags = G.choice(["O", "B-PER", "B-LOC"], size=G.integers(5, 30), p=[0.8, 0.1, 0.1])
        right.append(tags.tolist())
        found.append(np.where(G.random(len(tags)) < hard, G.choice(["O", "B-PER"], size=len(tags)), tags).tolist())
    return found, right, {"scheme": "IOB2"}


def texts(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
    right = [G.choice(WORDS, size=G.integers(5, 20)) for _ in range(n)]
    found = [" ".join(row[G.random(len(row)) < G.beta(6, 2)]) for row in right]
    return found, [" ".join(row) for row in right], {}


def answers(n: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
    found, right, _ = texts(n)
    exact = G.random(n) < 0.6
    rows = [{"answer": r if e else f} for f, r, e in zip(found, right, exact, strict=True)]
    return rows, [[r] for r in right], {}


CASES: list[tuple[str, str, Draw, str, tuple[int, ...]]] = [
    ("accuracy", "accuracy", labels(3, 0.97), "", (30, 100, 1000)),
    ("f1", "f1_macro", labels(3, 0.7), "3 labels", (100, 300)),
    ("f1", "f1_macro", labels(10, 0.8, 1.2), "10 labels, rarest 3 %", (100, 300, 1000)),
    ("f1", "f1_weighted", labels(10, 0.8, 1.2), "10 labels, rarest 3 %", (100, 300)),
    ("precision", "precision_macro", labels(10, 0.8, 1.2), "10 labels, rarest 3 %", (300, 1000)),
    ("recall", "recall_macro", labels(10, 0.8, 1.2), "10 labels, rarest 3 %", (300, 1000)),
    ("matthews_correlation", "matthews_correlation", labels(2, 0.7), "2 labels", (30, 100, 300)),
    ("mse", "mse", numbers(0.5), "", (30, 100, 300)),
    ("pearson", "pearson", numbers(0.3), "0.3", (30, 100)),
    ("pearson", "pearson", numbers(0.9), "0.9", (30, 100)),
    ("spearman", "spearman", numbers(0.9), "0.9", (30, 100)),
    ("ece", "ece_debiased", decisions(0.0), "calibrated", (100, 1000)),
    ("ece", "ece_debiased", decisions(0.05), "off by 0.05", (100, 1000)),
    ("ece", "ece_debiased", decisions(0.2), "off by 0.2", (100, 1000)),
    ("brier", "brier", decisions(0.05), "", (30, 100)),
    ("nll", "nll", decisions(0.05), "", (30, 100)),
    ("entity_f1", "entity_f1", tagged, "sentences", (30, 100)),
    ("entity_f1", "entity_precision", tagged, "sentences", (30, 100)),
    ("tagging_accuracy", "tagging_accuracy", tagged, "sentences", (30, 100)),
    ("squad", "f1", answers, "", (30, 100)),
    ("squad", "exact_match", answers, "", (30, 100)),
    ("bleu", "bleu", texts, "", (30, 100)),
    ("chrf", "chrf", texts, "", (30, 100)),
    ("ter", "ter", texts, "", (30, 100)),
    ("rouge", "rouge1", texts, "", (30, 100)),
]
"""(metric, value, population, words, numbers of examples)"""

TRUE = {"calibrated": 0.0, "off by 0.05": 0.05, "off by 0.2": 0.2}
"""The true calibration error, which the population's estimate is a little above."""


def coverage(simulations: int) -> Iterator[str]:
    yield f"{'interval of':<22} {'population':<22} {'examples':>8} {'true':>8} {'covered':>8} {'none given':>10}"
    for metric, value, draw, words, sizes in CASES:
        found, right, asked = draw(POPULATION if metric not in ("bleu", "chrf", "ter", "rouge", "squad") else 4000)
        form = METRICS[metric].sums(found, right, **asked)
        assert form is not None
        truth = TRUE.get(words, form.total()[value])
        for n in sizes:
            ends = [_interval(metric, value, form, n) for _ in range(simulations)]
            given = [one for one in ends if one]
            covered = np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in given]) if given else np.nan
            none = 1 - len(given) / simulations
            yield f"{value:<22} {words:<22} {n:>8} {truth:>8.3f} {covered:>8.1%} {none:>10.1%}"


def _interval(metric: str, value: str, population: Statistics, n: int) -> list[float] | None:
    sample = population.take(G.integers(0, len(population), n))
    return uncertainty_of(METRICS[metric], sample).intervals.get(value)


def false_positives(simulations: int) -> Iterator[str]:
    yield f"{'test of':<22} {'examples':>8} {'p < 0.05':>8}  test"
    cases = {"accuracy": labels(3, 0.7), "f1": labels(5, 0.7), "mse": numbers(0.5), "entity_f1": tagged, "chrf": texts}
    for name, draw in cases.items():
        for n in (30, 100):
            tests = [_of_two_alike(name, draw, n) for _ in range(simulations)]
            wrong = np.mean([p < 0.05 for p, _ in tests])
            yield f"{name:<22} {n:>8} {wrong:>8.1%}  {tests[0][1]}"


def _of_two_alike(name: str, draw: Draw, n: int) -> tuple[float, str]:
    """The p of two systems whose outputs are drawn in the same way for the same references."""
    first, right, asked = draw(n)
    second = _again(name, first, right)
    (test, *_) = compare((name,), first, second, right, (asked, asked))
    assert test.p is not None
    return test.p, test.method


def _again(name: str, first: list[Any], right: list[Any]) -> list[Any]:
    if name in ("accuracy", "f1"):
        other = [f"c{i}" for i in G.integers(0, 3 if name == "accuracy" else 5, len(right))]
        return [r if keep else o for r, o, keep in zip(right, other, G.random(len(right)) < 0.7, strict=True)]
    if name == "mse":
        return list(0.5 * np.array(right) + np.sqrt(0.75) * G.normal(size=len(right)))
    if name == "entity_f1":
        hard = G.beta(2, 12, len(right))
        return [
            [t if G.random() > h else str(G.choice(["O", "B-PER"])) for t in row]
            for row, h in zip(right, hard, strict=True)
        ]
    return [" ".join(np.array(row.split())[G.random(len(row.split())) < G.beta(6, 2)]) for row in right]


def seeds(simulations: int) -> Iterator[str]:
    yield f"{'several seeds':<22} {'seeds':>8} {'':>8}"
    for n in (2, 3, 5):
        covered = [
            low <= 0 <= high
            for low, high in (summary(G.normal(size=n).tolist())["interval"] for _ in range(simulations))
        ]
        wrong = [welch(G.normal(size=n).tolist(), G.normal(size=n).tolist())[1] < 0.05 for _ in range(simulations)]
        yield f"{'mean covered':<22} {n:>8} {np.mean(covered):>8.1%}"
        yield f"{'p < 0.05 (Welch)':<22} {n:>8} {np.mean(wrong):>8.1%}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args().simulations
    for table in (coverage, false_positives, seeds):
        for line in table(simulations):
            print(line, flush=True)
        print()
