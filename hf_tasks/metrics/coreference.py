"""F1 of coreference over all examples and in groups of them, and its ratio between groups (Webster et al. 2018,
https://aclanthology.org/Q18-1042).

Predictions and references are the place of the name that is referred to, as a string, or NEITHER. As in the scorer of
GAP, every name of an example is a decision: referred to or not.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from hf_tasks.metrics.classification import RATIOS
from hf_tasks.metrics.metric import Metric, Sums, Value, Values, share

NEITHER = "neither"


def _statistics(predictions: Sequence[str], references: Sequence[str], groups: Sequence[str] = ()) -> Sums:
    """(E, 3 x G): whether a name is found and right, found, expected, in the columns of the example's group."""
    names = sorted(set(groups)) or [""]
    counts = np.zeros((len(references), len(names), 3))
    places = np.array([names.index(group) for group in groups] or [0] * len(references), int)
    for row, (place, found, right) in enumerate(zip(places, predictions, references, strict=True)):
        counts[row, place] = [found == right != NEITHER, found != NEITHER, right != NEITHER]
    return Sums(counts.reshape(len(references), 3 * len(names)), _values, partial(_per_group, names, counts.sum(0)))


def _values(sums: np.ndarray) -> Values:
    """F1 over all groups together, and the bias where there are several; sums (R, 3 x G)."""
    by_group = sums.reshape(len(sums), -1, 3)  # (R, G, 3)
    values = {"coreference_f1": RATIOS["f1"](*by_group.sum(1).T)}
    each = RATIOS["f1"](*np.moveaxis(by_group, 2, 0))  # (R, G)
    if each.shape[1] == 2:
        values["bias"] = share(each[:, 0], each[:, 1], np.nan)
    elif each.shape[1] > 2:
        values["bias"] = share(each.min(1), each.max(1), np.nan)
    return values


def _per_group(names: Sequence[str], sums: np.ndarray) -> dict[str, Any]:
    """F1, precision and recall of each group; sums (G, 3)."""
    if len(names) < 2:
        return {}
    rows = {
        name: {kind: float(ratio(*row[:, None])[0]) for kind, ratio in RATIOS.items()} | {"support": int(row[2])}
        for name, row in zip(names, sums, strict=True)
    }
    return {"per_group": rows}


coreference_f1 = Metric(
    {
        "coreference_f1": Value("F1 of the decisions whether a pronoun refers to a name, over all names", "f1"),
        "bias": Value(
            "F1 of the first group divided by that of the second, in alphabetical order (feminine by masculine); of "
            "more groups, the lowest by the highest; 1 is equal",
            highest=np.inf,
        ),
    },
    _statistics,
)
