"""Predictions: the result of `Run.predict`, a list with conversions to tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from hf_tasks.core.files import flatten
from hf_tasks.core.printable import printable
from hf_tasks.tasks.types import Prediction, RawRow

if TYPE_CHECKING:
    from pandas import DataFrame

GIVEN = "_given"
"""Suffix of input columns that have the name of a prediction's column."""
ECHOED = ("id", "tokens")
"""Columns that predictions repeat from their inputs."""
HIDDEN = ("probabilities", "candidates", "expected_utilities", "n_best", "nbest", "fillings")
"""Values of a prediction that are not displayed."""
ON_TERMINAL = 50
"""Maximum number of rows displayed on a terminal."""
NARROWEST = 12
"""Minimum width of a column on a terminal."""
SHOWN = 10
"""Number of rows displayed in a notebook."""


class Predictions(list[Prediction]):
    """Predictions (dicts) in the order of their inputs.

    `inputs`: (E,) the input rows with all their columns.
    """

    def __init__(self, predictions: Iterable[Prediction], inputs: Sequence[RawRow] = (), index: Any = None) -> None:
        super().__init__(predictions)
        self.inputs = tuple(inputs)
        self._index = index

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each input's columns with those of its prediction; equal names get the suffix `_given` in the input."""
        for i, prediction in enumerate(self):
            yield joined(self.inputs[i], prediction) if self.inputs else prediction

    def to_frame(self) -> "DataFrame":
        """Return inputs and predictions as a pandas DataFrame, with the index of the input DataFrame.

        Probabilities are columns such as `probabilities.yes`, or one column of dicts if the rows have different labels.
        """
        import pandas

        same_labels = len({tuple(sorted(row.get("probabilities", ()))) for row in self}) <= 1
        return pandas.DataFrame(
            [flatten(row) if same_labels else _flat_but_probabilities(row) for row in self.rows()], self._index
        )

    def __repr__(self) -> str:
        shown = ", ".join(repr(brief(row)) for row in self[:3])
        return f"<{len(self)} predictions: {shown}{', ...' if len(self) > 3 else ''}>"

    def _repr_html_(self) -> str:
        import pandas

        rows = [brief(row) for row in islice(self.rows(), SHOWN)]
        more = f"<p>{len(self):,} predictions, the first {SHOWN} are shown</p>" if len(self) > SHOWN else ""
        return pandas.DataFrame(rows).to_html(na_rep="", notebook=True, float_format="{:.4f}".format) + more


def _flat_but_probabilities(row: Mapping[str, Any]) -> dict[str, Any]:
    others = {name: value for name, value in row.items() if name != "probabilities"}
    return flatten(others) | {"probabilities": row.get("probabilities")}


def joined(row: Mapping[str, Any], prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of an input and of its prediction."""
    others = {name: value for name, value in row.items() if name not in ECHOED or prediction.get(name) != value}
    given = {f"{name}{GIVEN}" if name in prediction else name: value for name, value in others.items()}
    return {**given, **prediction}


def text_table(rows: Sequence[Mapping[str, Any]], width: int) -> str:
    """Format the first rows as a table for a terminal of `width` characters: inputs and predictions, long cells cut."""
    shown = [{name: _cell(value) for name, value in brief(row).items()} for row in rows[:ON_TERMINAL]]
    names = list(dict.fromkeys(name for row in shown for name in row))
    needed = {name: max(len(name), *(len(row.get(name, "")) for row in shown)) for name in names}
    while sum(needed.values()) + 2 * len(names) > width and max(needed.values()) > NARROWEST:
        needed[max(needed, key=lambda name: needed[name])] -= 1
    lines = [
        "  ".join(f"{_cut(cells.get(name, ''), needed[name]):<{needed[name]}}" for name in names).rstrip()
        for cells in ({name: name for name in names}, *shown)
    ]
    more = [f"... and {len(rows) - len(shown):,} more; -o FILE writes all of them"] if len(rows) > len(shown) else []
    return printable("\n".join([*lines, *more]))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    words = value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
    return " ".join((" ".join(words) if words is not None else str(value)).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def brief(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Return a prediction without its long values."""
    return {name: value for name, value in prediction.items() if name not in HIDDEN}
