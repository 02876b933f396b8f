"""What `Run.predict` returns: a list of predictions that becomes a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from hf_tasks.core.files import flatten
from hf_tasks.core.printable import printable
from hf_tasks.tasks.types import Prediction, RawRow

if TYPE_CHECKING:
    from pandas import DataFrame

GIVEN = "_given"
"""Ends the name of an input column that is called like one of the predictions."""
ECHOED = ("id", "tokens")
"""Columns that predictions repeat from their inputs."""
HIDDEN = ("probabilities", "candidates", "expected_utilities", "n_best", "nbest")
"""Values of a prediction that a table for people leaves out."""
ON_TERMINAL = 50
"""Rows of the table on a terminal."""
NARROWEST = 12
"""Characters of a column in that table."""
SHOWN = 10
"""Rows of the table in a notebook."""


class Predictions(list[Prediction]):
    """Predictions in the order of their inputs: a list of dicts.

    `inputs`: (E,) the rows that were predicted, with all their columns.
    """

    def __init__(self, predictions: Iterable[Prediction], inputs: Sequence[RawRow] = (), index: Any = None) -> None:
        super().__init__(predictions)
        self.inputs = tuple(inputs)
        self._index = index

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each input with its prediction: the input's columns, then those of the prediction. An input column that has
        the name of one of the prediction's ends in `_given`."""
        for i, prediction in enumerate(self):
            yield beside(self.inputs[i], prediction) if self.inputs else prediction

    def to_frame(self) -> "DataFrame":
        """Inputs and predictions as a pandas DataFrame; the index is that of the DataFrame that was predicted.

        Probabilities are columns such as `probabilities.yes`; where only the highest were kept, one column of dicts."""
        import pandas

        whole = len({tuple(sorted(row.get("probabilities", ()))) for row in self}) <= 1
        return pandas.DataFrame(
            [flatten(row) if whole else _flat_but_probabilities(row) for row in self.rows()], self._index
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


def beside(row: Mapping[str, Any], prediction: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an input, then those of its prediction."""
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
    """What people look at first in a prediction."""
    return {name: value for name, value in prediction.items() if name not in HIDDEN}
