"""Metrics of classification and regression: thin names for scikit-learn's and scipy's functions.

Predictions and references are label names; sets of label names (as lists) where an example has several labels;
or numbers.
"""

import math
from typing import Any

import numpy as np


def accuracy(predictions: list[Any], references: list[Any]) -> dict[str, float]:
    """Share of examples that are wholly right; for several labels, the subset accuracy."""
    right = [_key(p) == _key(r) for p, r in zip(predictions, references, strict=True)]
    return {"accuracy": float(np.mean(right))}


def f1(predictions: list[Any], references: list[Any]) -> dict[str, float]:
    """F1 averaged over classes (macro), over decisions (micro), over classes by their frequency (weighted)."""
    return _averages("f1", predictions, references)


def precision(predictions: list[Any], references: list[Any]) -> dict[str, float]:
    return _averages("precision", predictions, references)


def recall(predictions: list[Any], references: list[Any]) -> dict[str, float]:
    return _averages("recall", predictions, references)


def per_class(predictions: list[Any], references: list[Any]) -> dict[str, Any]:
    """precision, recall, f1 and support of every class, under its name."""
    from sklearn.metrics import precision_recall_fscore_support

    expected, found, classes = _indicators(predictions, references)
    options = {"zero_division": 0.0, "labels": _columns(classes, expected)}
    rows = zip(*precision_recall_fscore_support(expected, found, average=None, **options), strict=True)
    return {
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
            for name, (p, r, f, s) in zip(classes, rows, strict=True)
        }
    }


def matthews_correlation(predictions: list[str], references: list[str]) -> dict[str, float]:
    """Matthews (1975), https://doi.org/10.1016/0005-2795(75)90109-9; in [-1, 1], 0 for a constant prediction."""
    from sklearn.metrics import matthews_corrcoef

    if len({*references, *predictions}) < 2:
        return {"matthews_correlation": 0.0}
    return {"matthews_correlation": float(matthews_corrcoef(references, predictions))}


def pearson(predictions: list[float], references: list[float]) -> dict[str, float]:
    """Linear correlation in [-1, 1]; 0 where either side is constant."""
    from scipy.stats import pearsonr

    return {"pearson": _correlation(pearsonr, predictions, references)}


def spearman(predictions: list[float], references: list[float]) -> dict[str, float]:
    """Rank correlation in [-1, 1]; 0 where either side is constant."""
    from scipy.stats import spearmanr

    return {"spearman": _correlation(spearmanr, predictions, references)}


def mse(predictions: list[float], references: list[float]) -> dict[str, float]:
    """Mean squared error, in squared units of the score."""
    return {"mse": float(np.mean((np.array(predictions) - np.array(references)) ** 2))}


def _correlation(function: Any, predictions: list[float], references: list[float]) -> float:
    found, expected = np.array(predictions, dtype=np.float64), np.array(references, dtype=np.float64)
    if len(np.unique(found)) < 2 or len(np.unique(expected)) < 2:
        return 0.0
    value = float(function(found, expected).statistic)
    return value if math.isfinite(value) else 0.0


def _averages(name: str, predictions: list[Any], references: list[Any]) -> dict[str, float]:
    """`name` by scikit-learn, macro first for one label per example, micro first for several."""
    from sklearn import metrics

    function = getattr(metrics, f"{name}_score")
    expected, found, classes = _indicators(predictions, references)
    kinds = ("macro", "micro", "weighted") if expected.ndim == 1 else ("micro", "macro", "weighted")
    if not classes:
        return {f"{name}_{kind}": 0.0 for kind in kinds}
    options = {"zero_division": 0.0, "labels": _columns(classes, expected)}
    return {f"{name}_{kind}": float(function(expected, found, average=kind, **options)) for kind in kinds}


def _indicators(predictions: list[Any], references: list[Any]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """References and predictions as arrays of names (E,), or of flags (E, C + 1) for several labels; and the C classes.

    The last column of flags is empty: scikit-learn takes a single column for two classes.
    """
    if not isinstance(references[0], list):
        return np.array(references), np.array(predictions), sorted({*references, *predictions})
    classes = sorted({label for row in (*references, *predictions) for label in row})

    def flags(rows: list[Any]) -> np.ndarray:
        return np.array([[*(label in row for label in classes), False] for row in rows])

    return flags(references), flags(predictions), classes


def _columns(classes: list[str], expected: np.ndarray) -> list[Any]:
    """What scikit-learn's `labels` must be for the results to be those of `classes`, in this order."""
    return classes if expected.ndim == 1 else list(range(len(classes)))


def _key(answer: Any) -> Any:
    return frozenset(answer) if isinstance(answer, list) else answer
