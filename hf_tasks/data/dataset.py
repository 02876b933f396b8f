"""DataSplit: the examples of a split and the file and line of each."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core.errors import DataError
from hf_tasks.data.row_errors import RowErrors
from hf_tasks.tasks.types import Example, RawRow, rows

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, eq=False)
class DataSplit:
    """The typed examples of a split, in the task's columns."""

    examples: "Dataset"
    places: tuple[str, ...]
    """The prefixes of the line numbers in `where`: `data/train.csv:` for a file, `row ` for Python objects."""
    place: np.ndarray
    """(E,) index into `places` for each example."""
    line: np.ndarray
    """(E,) line or row number of each example, counted from 1."""
    dropped: int = 0
    """Number of rows dropped because data.bad_rows is "drop"."""
    problems: RowErrors = field(default_factory=lambda: RowErrors("stop"))
    """Errors of the rows of the same files that `check` has not reported yet."""
    files: dict[str, str] = field(default_factory=dict)
    """File -> SHA-256, or Hub dataset (`id@revision`) -> fingerprint."""
    rows_read: tuple[RawRow, ...] = ()
    """(E,) the original rows with all their columns; empty unless requested."""

    def __len__(self) -> int:
        return len(self.line)

    def where(self, row: int) -> str:
        """Return the location of an example, e.g. `data/train.csv:17`."""
        return f"{self.places[self.place[row]]}{self.line[row]}"

    def rows_hash(self) -> str:
        """Return the SHA-256 of the files' indices and line numbers of the examples."""
        numbers = np.stack([self.place.astype("<i8"), self.line.astype("<i8")])  # (2, E)
        return hashlib.sha256(numbers.tobytes()).hexdigest()

    def select(self, rows: Sequence[int] | np.ndarray) -> "DataSplit":
        index = np.asarray(rows, dtype=np.int64)
        read = tuple(self.rows_read[row] for row in index) if self.rows_read else ()
        return replace(
            self, examples=self.examples.select(index), place=self.place[index], line=self.line[index], rows_read=read
        )

    def rows(self) -> Iterator[Example]:
        """Yield the examples; reads them in batches, which is many times faster than `examples[i]`."""
        return rows(self.examples)


def from_examples(examples: list[Example], lines: list[int], place: str) -> DataSplit:
    """Make a split from examples with the same keys and their lines. Raises DataError if the types of values differ."""
    import pyarrow
    from datasets import Dataset

    table = {}
    for name in examples[0] if examples else ():
        values = [example[name] for example in examples]
        try:
            table[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, UnicodeEncodeError) as e:
            raise DataError(_type_error(name, values, [f"{place}{line}" for line in lines], e)) from None
    zeros = np.zeros(len(lines), dtype=np.int32)
    return DataSplit(Dataset(pyarrow.table(table)), (place,), zeros, np.array(lines, dtype=np.int64))


def stack(splits: Sequence[DataSplit]) -> DataSplit:
    """Concatenate chunks of the same file. Raises DataError if their types of values differ."""
    joined = join(splits)
    return replace(joined, places=joined.places[:1], place=np.zeros(len(joined), dtype=np.int32))


def join(splits: Sequence[DataSplit]) -> DataSplit:
    """Concatenate the examples of several files. Raises DataError if their columns or types of values differ."""
    import pyarrow
    from datasets import Dataset

    filled = [split for split in splits if len(split)] or list(splits[:1])
    tables = [split.examples.with_format("arrow")[:].replace_schema_metadata(None) for split in filled]
    for split, table in zip(filled, tables, strict=True):
        if differing := sorted(set(table.column_names) ^ set(tables[0].column_names)):
            trouble = f'only one of them has the column "{differing[0]}"; give both the same columns'
            raise DataError(f"{_names(filled[0], split)}: {trouble}")
        try:
            pyarrow.unify_schemas([tables[0].schema, table.schema], promote_options="permissive")
        except pyarrow.ArrowException as e:
            trouble = f"their values are of different kinds ({str(e).splitlines()[0]}); give both the same"
            raise DataError(f"{_names(filled[0], split)}: {trouble}") from None
    return DataSplit(
        Dataset(pyarrow.concat_tables(tables, promote_options="permissive")),
        tuple(split.places[0] for split in filled),
        np.repeat(np.arange(len(filled), dtype=np.int32), [len(split) for split in filled]),
        np.concatenate([split.line for split in filled]),
        files={name: digest for split in splits for name, digest in split.files.items()},
        rows_read=tuple(row for split in filled for row in split.rows_read),
    )


def _names(*splits: DataSplit) -> str:
    return " and ".join(split.places[0].rstrip(":") for split in splits)


def _type_error(name: str, values: list[Any], wheres: list[str], error: Exception) -> str:
    """Return the message for the first value of a column whose type differs from those before it."""
    import pyarrow

    first = next(i for i, value in enumerate(values) if value is not None)
    for value, where in zip(values, wheres, strict=True):
        try:
            pyarrow.array([values[first], value])
        except UnicodeEncodeError:
            return f"{where}: the {name} holds half a character (a lone surrogate); correct or remove it"
        except pyarrow.ArrowException:
            return (
                f"{where}: the {name} {value!r} has another type than {values[first]!r} ({wheres[first]}); correct it"
            )
    return f"{wheres[0]}: the column {name} cannot be stored: {error}"
