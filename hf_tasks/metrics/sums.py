"""Metrics whose value follows from sums over the examples: for these, the value of thousands of resamples of a part is
one matrix product. Intervals and paired tests stand on this.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics import probability, squad, text_sums
from hf_tasks.metrics.cmrc2018 import best_exact, best_f1
from hf_tasks.metrics.summable import Sums, share, with_one
from hf_tasks.tags import Scheme, Tags, chunks, detect, entities, surface

__all__ = ["SUMMABLE", "Sums", "sums"]


def sums(
    name: str, predictions: list[Any], references: list[Any], memory: Mapping[str, Any] | None = None
) -> Sums | None:
    """The summable form of a metric; None where it has none, or needs to know more than `memory` holds, by the names of
    its parameters, as for the metric itself."""
    form = SUMMABLE.get(name)
    if form is None:
        return None
    parameters = inspect.signature(form).parameters.values()
    known = {one.name: memory[one.name] for one in parameters if memory and one.name in memory}
    needed = {one.name for one in parameters if one.default is one.empty} - {"predictions", "references"}
    return form(predictions, references, **known) if needed <= known.keys() else None


# -- classification and regression


def _accuracy(predictions: list[Any], references: list[Any]) -> Sums:
    right = [_set(p) == _set(r) for p, r in zip(predictions, references, strict=True)]
    return Sums(with_one(np.array(right, dtype=float)), lambda s: {"accuracy": s[:, 0] / s[:, 1]})


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
        return share(right, below)

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
        return {"matthews_correlation": share(covariance, spread)}

    return Sums(_per_class(predictions, references), values)


def _mse(predictions: list[float], references: list[float]) -> Sums:
    errors = (np.array(predictions) - np.array(references)) ** 2
    return Sums(with_one(errors), lambda s: {"mse": s[:, 0] / s[:, 1]})


def _pearson(predictions: list[float], references: list[float]) -> Sums:
    x, y = (np.array(side, dtype=float) - np.mean(side) for side in (predictions, references))

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        sx, sy, sxx, syy, sxy, n = s.T
        spread = np.sqrt(np.maximum(n * sxx - sx**2, 0) * np.maximum(n * syy - sy**2, 0))
        return {"pearson": share(n * sxy - sx * sy, spread)}

    return Sums(with_one(x, y, x * x, y * y, x * y), values)


# -- tagged sentences


def _items(name: str, read: Callable[[Sequence[str]], Iterable[Any]]) -> Callable[[list[Any], list[Any]], Sums]:
    """F1, precision and recall of the items that `read` finds in a sentence."""

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        right, found, expected = s.T
        parts = {"f1": (found + expected) / 2, "precision": found, "recall": expected}
        return {f"{name}_{kind}": share(right, n) for kind, n in parts.items()}

    def counted(predictions: list[Any], references: list[Any]) -> Sums:
        pairs = [(set(read(p)), set(read(r))) for p, r in zip(predictions, references, strict=True)]
        return Sums(np.array([[len(ours & theirs), len(ours), len(theirs)] for ours, theirs in pairs], float), values)

    return counted


def _entity_f1(predictions: list[Any], references: list[Any], scheme: Scheme | None = None) -> Sums:
    scheme = scheme or detect(references)
    return _items("entity", lambda tags: entities(tags, scheme))(predictions, references)


def _unseen_entity_recall(
    predictions: list[Any], references: list[Tags], known_entities: Sequence[str], scheme: Scheme | None = None
) -> Sums:
    scheme, known = scheme or detect(references), set(known_entities)
    counts = [
        _recalled(
            set(entities(p, scheme)), [(e, surface(r.tokens[e.start : e.end])) for e in entities(r, scheme)], known
        )
        for p, r in zip(predictions, references, strict=True)
    ]
    return _recalls(np.array(counts, float), {"unseen_entity_recall": 0, "seen_entity_recall": 2})


def _word_segmentation(predictions: list[Any], references: list[Tags], known_words: Sequence[str]) -> Sums:
    words, known = _items("word", chunks)(predictions, references), set(known_words)
    counts = [
        _recalled(set(chunks(p)), [(w, "".join(r.tokens[w.start : w.end])) for w in chunks(r)], known)
        for p, r in zip(predictions, references, strict=True)
    ]
    recalls = _recalls(np.array(counts, float), {"oov_recall": 0, "iv_recall": 2})

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        rate = {"oov_rate": share(s[:, 4], s[:, 4] + s[:, 6])}
        return words.values(s[:, :3]) | recalls.values(s[:, 3:]) | rate

    return Sums(np.hstack([words.counts, recalls.counts]), values)


def _recalled(found: set[Any], expected: Iterable[tuple[Any, str]], known: set[str]) -> list[int]:
    """Of the expected items whose text is not known: how many are found, how many there are; the same of the others."""
    counts = [0, 0, 0, 0]
    for item, text in expected:
        first = 2 if text in known else 0
        counts[first] += item in found
        counts[first + 1] += 1
    return counts


def _recalls(counts: np.ndarray, columns: dict[str, int]) -> Sums:
    """Shares of a column in the one behind it; of nothing at all, left out."""
    there = {name: column for name, column in columns.items() if counts[:, column + 1].any()}
    return Sums(counts, lambda s: {name: share(s[:, c], s[:, c + 1], np.nan) for name, c in there.items()})


def _tagging_accuracy(predictions: list[Any], references: list[Any]) -> Sums:
    pairs = zip(predictions, references, strict=True)
    counts = [[sum(a == b for a, b in zip(p, r, strict=True)), len(r)] for p, r in pairs]
    return Sums(np.array(counts, float), lambda s: {"tagging_accuracy": s[:, 0] / s[:, 1]})


# -- answers


def _answers(measures: dict[str, Callable[[str, list[str]], float]]) -> Callable[[list[Any], list[Any]], Sums]:
    """Means over the questions, in percent."""

    def counted(predictions: list[Any], references: list[Any]) -> Sums:
        pairs = [(row["answer"], right) for row, right in zip(predictions, references, strict=True)]
        columns = [np.array([measure(text, right) for text, right in pairs], float) for measure in measures.values()]
        return Sums(with_one(*columns), lambda s: {name: 100 * s[:, i] / s[:, -1] for i, name in enumerate(measures)})

    return counted


def _squad_v2(predictions: list[Any], references: list[Any]) -> Sums:
    """Over all questions, over those with an answer, over those without."""
    overall = _answers({"f1": _version_2(squad.f1), "exact": _version_2(squad.exact)})(predictions, references)
    answerable = np.array([bool(texts) for texts in references])[:, None]
    groups = {"": overall.counts, "HasAns_": overall.counts * answerable, "NoAns_": overall.counts * ~answerable}
    there = {name: counts for name, counts in groups.items() if counts.any()}

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        parts = zip(there, np.split(s, len(there), axis=1), strict=True)
        names = [(group + name, part, i) for group, part in parts for i, name in enumerate(("f1", "exact"))]
        return {name: 100 * share(part[:, i], part[:, 2], np.nan) for name, part, i in names}

    return Sums(np.hstack(list(there.values())), values)


def _cmrc2018(predictions: list[Any], references: list[Any]) -> Sums:
    both = _answers({"cmrc2018_f1": best_f1, "cmrc2018_exact_match": best_exact})(predictions, references)

    def values(s: np.ndarray) -> dict[str, np.ndarray]:
        f1, exact = both.values(s).values()
        return {"cmrc2018_average": (f1 + exact) / 2, "cmrc2018_f1": f1, "cmrc2018_exact_match": exact}

    return Sums(both.counts, values)


def _version_1(measure: squad.Measure) -> Callable[[str, list[str]], float]:
    return lambda text, right: squad.best_over(measure, text, right) if right else float(not text)


def _version_2(measure: squad.Measure) -> Callable[[str, list[str]], float]:
    return lambda text, right: squad.best_over(measure, text, squad.answers_of(right))


SUMMABLE: dict[str, Callable[..., Sums]] = {
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
    "word_segmentation": _word_segmentation,
    "unseen_entity_recall": _unseen_entity_recall,
    "squad": _answers({"f1": _version_1(squad.f1_version_1), "exact_match": _version_1(squad.exact)}),
    "squad_v2": _squad_v2,
    "cmrc2018": _cmrc2018,
    "bleu": text_sums.bleu,
    "chrf": text_sums.chrf("chrf", word_order=0),
    "chrf++": text_sums.chrf("chrf++", word_order=2),
    "ter": text_sums.ter,
    "rouge": text_sums.rouge,
    "rougeL": text_sums.rouge,
    "gleu": text_sums.gleu,
    "ece": probability.ece_sums,
    "brier": probability.brier_sums,
    "nll": probability.nll_sums,
}


def _set(answer: Any) -> frozenset[Any]:
    return frozenset(answer) if isinstance(answer, list) else frozenset([answer])
