"""Metrics whose value follows from sums over the examples: for these, the value of thousands of resamples of a part is
one matrix product. Intervals and paired tests stand on this.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks.metrics import squad
from hf_tasks.metrics.cmrc2018 import best_exact, best_f1
from hf_tasks.tags import chunks, detect, entities

Values = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sums:
    counts: np.ndarray
    """What each example adds, (E, K) float64."""
    values: Values
    """From sums (R, K) to the metric's values, (R,) each."""


def sums(name: str, predictions: list[Any], references: list[Any]) -> Sums | None:
    """The summable form of a metric; None where it has none."""
    return SUMMABLE[name](predictions, references) if name in SUMMABLE else None


# -- classification and regression


def _accuracy(predictions: list[Any], references: list[Any]) -> Sums:
    right = [_set(p) == _set(r) for p, r in zip(predictions, references, strict=True)]
    return Sums(_with_one(np.array(right, dtype=float)), lambda s: {"accuracy": s[:, 0] / s[:, 1]})


def _per_class(predictions: list[Any], references: list[Any]) -> np.ndarray:
    """(E, 3 x C): for each class, whether it is right, predicted, expected."""
    found, expected = [_set(p) for p in predictions], [_set(r) for r in references]
    classes = sorted(set().union(*found, *expected))
    flags = [np.array([[label in row for label in classes] for row in rows], dtype=float) for rows in (found, expected)]
    return np.hstack([flags[0] * flags[1], *flags])


def _averages(kind: str) -> Callable[[list[Any], list[Any]], Sums]:
    """Macro, micro and weighted averages of `kind` over the classes that occur in a resample."""

    def ratio(right: np.ndarray, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
        below = {"f1": (found + expected) / 2, "precision": found, "recall": expected}[kind]
        return np.asarray(np.divide(right, below, out=np.zeros_like(right), where=below > 0))

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        right, found, expected = np.split(s, 3, axis=1)
        each = ratio(right, found, expected)  # (R, C)
        occurs = np.maximum((found + expected > 0).sum(1), 1)
        return {
            f"{kind}_macro": each.sum(1) / occurs,
            f"{kind}_micro": ratio(right.sum(1), found.sum(1), expected.sum(1)),
            f"{kind}_weighted": (each * expected).sum(1) / np.maximum(expected.sum(1), 1),
        }

    return lambda predictions, references: Sums(_per_class(predictions, references), values)


def _matthews_correlation(predictions: list[str], references: list[str]) -> Sums:
    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        right, found, expected = np.split(s, 3, axis=1)
        n = expected.sum(1)
        covariance = right.sum(1) * n - (found * expected).sum(1)
        spread = np.sqrt((n**2 - (found**2).sum(1)) * (n**2 - (expected**2).sum(1)))
        return {"matthews_correlation": np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)}

    return Sums(_per_class(predictions, references), values)


def _mse(predictions: list[float], references: list[float]) -> Sums:
    errors = (np.array(predictions) - np.array(references)) ** 2
    return Sums(_with_one(errors), lambda s: {"mse": s[:, 0] / s[:, 1]})


def _pearson(predictions: list[float], references: list[float]) -> Sums:
    x, y = (np.array(side, dtype=float) - np.mean(side) for side in (predictions, references))

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        sx, sy, sxx, syy, sxy, n = s.T
        spread = np.sqrt(np.maximum(n * sxx - sx**2, 0) * np.maximum(n * syy - sy**2, 0))
        return {"pearson": np.divide(n * sxy - sx * sy, spread, out=np.zeros_like(spread), where=spread > 0)}

    return Sums(_with_one(x, y, x * x, y * y, x * y), values)


# -- tagged sentences


def _items(name: str, read: Callable[[Sequence[str]], Iterable[Any]]) -> Callable[[list[Any], list[Any]], Sums]:
    """F1, precision and recall of the items that `read` finds in a sentence."""

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        right, found, expected = s.T
        parts = {"f1": (found + expected) / 2, "precision": found, "recall": expected}
        return {
            f"{name}_{kind}": np.divide(right, n, out=np.zeros_like(right), where=n > 0) for kind, n in parts.items()
        }

    def counted(predictions: list[Any], references: list[Any]) -> Sums:
        pairs = [(set(read(p)), set(read(r))) for p, r in zip(predictions, references, strict=True)]
        return Sums(np.array([[len(ours & theirs), len(ours), len(theirs)] for ours, theirs in pairs], float), values)

    return counted


def _entity_f1(predictions: list[Any], references: list[Any]) -> Sums:
    scheme = detect(references)
    return _items("entity", lambda tags: entities(tags, scheme))(predictions, references)


def _tagging_accuracy(predictions: list[Any], references: list[Any]) -> Sums:
    pairs = zip(predictions, references, strict=True)
    counts = [[sum(a == b for a, b in zip(p, r, strict=True)), len(r)] for p, r in pairs]
    return Sums(np.array(counts, float), lambda s: {"tagging_accuracy": s[:, 0] / s[:, 1]})


# -- answers and texts


def _answers(measures: dict[str, Callable[[str, list[str]], float]]) -> Callable[[list[Any], list[Any]], Sums]:
    """Means over the questions, in percent."""

    def counted(predictions: list[Any], references: list[Any]) -> Sums:
        pairs = [(row["answer"], right) for row, right in zip(predictions, references, strict=True)]
        columns = [np.array([measure(text, right) for text, right in pairs], float) for measure in measures.values()]
        return Sums(_with_one(*columns), lambda s: {name: 100 * s[:, i] / s[:, -1] for i, name in enumerate(measures)})

    return counted


def _version_1(measure: squad.Measure) -> Callable[[str, list[str]], float]:
    return lambda text, right: squad.best_over(measure, text, right) if right else float(not text)


def _version_2(measure: squad.Measure) -> Callable[[str, list[str]], float]:
    return lambda text, right: squad.best_over(measure, text, squad.answers_of(right))


def _bleu(predictions: list[str], references: list[Any]) -> Sums:
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)
    scores = [
        scorer.sentence_score(p, [r] if isinstance(r, str) else r) for p, r in zip(predictions, references, strict=True)
    ]

    def value(row: np.ndarray) -> float:
        counts = row.astype(int).tolist()
        return float(BLEU.compute_bleu(counts[:4], counts[4:8], counts[8], counts[9], smooth_method="exp").score)

    counts = np.array([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores], float)
    return Sums(counts, lambda s: {"bleu": np.array([value(row) for row in s])})


def _rouge(predictions: list[str], references: list[Any]) -> Sums:
    from hf_tasks.metrics.generation import rouge_of_each

    kinds = {kind: np.array(values) for kind, values in rouge_of_each(predictions, references).items()}
    return Sums(_with_one(*kinds.values()), lambda s: {kind: 100 * s[:, i] / s[:, -1] for i, kind in enumerate(kinds)})


SUMMABLE: dict[str, Callable[[list[Any], list[Any]], Sums]] = {
    "accuracy": _accuracy,
    "f1": _averages("f1"),
    "precision": _averages("precision"),
    "recall": _averages("recall"),
    "matthews_correlation": _matthews_correlation,
    "mse": _mse,
    "pearson": _pearson,
    "entity_f1": _entity_f1,
    "conlleval_f1": _items("conlleval", chunks),
    "tagging_accuracy": _tagging_accuracy,
    "word_segmentation": _items("word", chunks),
    "squad": _answers({"f1": _version_1(squad.f1_version_1), "exact_match": _version_1(squad.exact)}),
    "squad_v2": _answers({"f1": _version_2(squad.f1), "exact": _version_2(squad.exact)}),
    "cmrc2018": _answers({"cmrc2018_f1": best_f1, "cmrc2018_exact_match": best_exact}),
    "bleu": _bleu,
    "rouge": _rouge,
    "rougeL": _rouge,
}


def _with_one(*columns: np.ndarray) -> np.ndarray:
    """The columns, and a last one of ones that counts the examples."""
    return np.stack([*columns, np.ones(len(columns[0]))], axis=1)


def _set(answer: Any) -> frozenset[Any]:
    return frozenset(answer) if isinstance(answer, list) else frozenset([answer])
