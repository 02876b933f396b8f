"""Measured values for people who work in Python: dicts that print as a table, in a terminal and in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from hf_tasks.core.terminal import table

if TYPE_CHECKING:
    from pandas import DataFrame


class Scores(dict[str, Any]):
    """The metrics of one split, with `intervals` (95 %) and `notes`; see `evaluation.scores`."""

    def to_frame(self) -> "DataFrame":
        """The single numbers as a pandas DataFrame: metric, value, low, high (of the 95 % interval)."""
        return to_frame({"": self}).drop(columns="split")

    def __repr__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        return to_html("", {"": self})


def main_value(metrics: Sequence[str], scores: Mapping[str, Any]) -> str:
    """The first of a task's metrics that was measured: `accuracy 0.835`."""
    named = [name for name in (*metrics, *scores) if isinstance(scores.get(name), int | float)]
    return f"{named[0]} {scores[named[0]]:.4g}" if named else "no metric"


def to_frame(splits: Mapping[str, Mapping[str, Any]]) -> "DataFrame":
    """The single numbers of all splits, a row each."""
    import pandas

    rows = []
    for split, scores in splits.items():
        intervals = scores.get("intervals", {})
        for name, value in scores.items():
            if isinstance(value, int | float):
                low, high = intervals.get(name, (None, None))
                rows.append((split, name, value, low, high))
    return pandas.DataFrame(rows, columns=["split", "metric", "value", "low", "high"])


def to_html(title: str, splits: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of `to_frame` for a notebook, under a title."""
    caption = f"<p><b>{escape(title)}</b></p>" if title else ""
    frame = to_frame(splits)
    if not any(splits):
        frame = frame.drop(columns="split")
    return caption + frame.to_html(index=False, na_rep="", notebook=True, float_format="{:.4f}".format)
