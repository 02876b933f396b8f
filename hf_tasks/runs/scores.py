"""Scores: dicts of metrics that display as a table in a terminal or notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from hf_tasks.core.terminal import table

if TYPE_CHECKING:
    from pandas import DataFrame


class Scores(dict[str, Any]):
    """The metrics of one split, with `intervals` (95 %) and `notes`; see `evaluation.scores`."""

    def to_frame(self) -> "DataFrame":
        """Return the single numbers as a pandas DataFrame: metric, value, low, high (95 % interval)."""
        return to_frame({"": self}).drop(columns="split")

    def __repr__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        return to_html("", {"": self})


def main_value(metrics: Sequence[str], scores: Mapping[str, Any]) -> str:
    """Return the first of a task's metrics that has a value: `accuracy 0.835`."""
    named = [name for name in (*metrics, *scores) if isinstance(scores.get(name), int | float)]
    return f"{named[0]} {scores[named[0]]:.4g}" if named else "no metric"


def to_frame(splits: Mapping[str, Mapping[str, Any]]) -> "DataFrame":
    """Return the single numbers of all splits as a pandas DataFrame: split, metric, value, low, high."""
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
    """Return the table of `to_frame` as HTML with a title, for a notebook."""
    caption = f"<p><b>{escape(title)}</b></p>" if title else ""
    frame = to_frame(splits)
    if not any(splits):
        frame = frame.drop(columns="split")
    return caption + frame.to_html(index=False, na_rep="", notebook=True, float_format="{:.4f}".format)
