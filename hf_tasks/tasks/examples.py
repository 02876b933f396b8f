"""Examples and features, and the shapes in which they are passed on."""

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


def values(examples: "Dataset", *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of some columns row by row; read in batches, which is many times faster than `examples[i]`."""
    for batch in examples.select_columns(list(columns)).iter(batch_size=1000):
        yield from zip(*(batch[name] for name in columns), strict=True)
