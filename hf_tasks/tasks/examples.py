"""Examples and features, and the shapes in which they are passed on."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor

Row = dict[str, Any]
Columns = dict[str, list[Any]]
Collator = Callable[[list[Row]], dict[str, "Tensor"]]


@dataclass(frozen=True)
class Split:
    """One part of the data, ready for a model."""

    examples: "Dataset"
    """Raw rows in canonical columns, E rows."""
    features: "Dataset"
    """Encoded rows, N >= E, in the order of their examples; column `example` is the row of `examples`, `length` is
    in tokens. An example that is longer than the model may give several windows."""


BLANK = re.compile(r"[\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*")
"""Characters that nobody sees: blanks, joiners, marks of direction (Unicode's Default_Ignorable_Code_Point)."""


def is_blank(text: str) -> bool:
    """Whether a text shows nothing."""
    return BLANK.fullmatch(text) is not None


def values(examples: "Dataset", *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of some columns row by row; read in batches, which is many times faster than `examples[i]`."""
    for batch in examples.select_columns(list(columns)).iter(batch_size=1000):
        yield from zip(*(batch[name] for name in columns), strict=True)
