"""Part: the examples of train, validation or test, and where each of them stands in its file."""

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
    """Typed examples in canonical columns, one row each."""

    examples: "Dataset"
    places: tuple[str, ...]
    """What stands before a row's number in `where`: `data/train.csv:` for a file, `row ` for plain rows."""
    place: np.ndarray
    """(E,) the place of each row, an index of `places`."""
    line: np.ndarray
    """(E,) the line or number of each row in its place, counted from 1."""
    dropped: int = 0
    """Rows left out because data.bad_rows is "drop"."""
    problems: RowErrors = field(default_factory=lambda: RowErrors("stop"))
    """What is wrong with rows that were read together with these, until `check` reports it."""
    files: dict[str, str] = field(default_factory=dict)
    """Each file and its SHA-256, or each Hub data set (`id@revision`) and its fingerprint."""
    rows_read: tuple[RawRow, ...] = ()
    """(E,) the rows as they were read, with all their columns; empty where nobody asked for them."""

    def __len__(self) -> int:
        return len(self.line)

    def where(self, row: int) -> str:
        """`data/train.csv:17`: where a row begins."""
        return f"{self.places[self.place[row]]}{self.line[row]}"

    def rows_hash(self) -> str:
        """The SHA-256 of which rows of the files these are."""
        numbers = np.stack([self.place.astype("<i8"), self.line.astype("<i8")])  # (2, E)
        return hashlib.sha256(numbers.tobytes()).hexdigest()

    def select(self, rows: Sequence[int] | np.ndarray) -> "DataSplit":
        index = np.asarray(rows, dtype=np.int64)
        read = tuple(self.rows_read[row] for row in index) if self.rows_read else ()
        return replace(
            self, examples=self.examples.select(index), place=self.place[index], line=self.line[index], rows_read=read
        )

    def sample(self, size: int | None, seed: int) -> "DataSplit":
        """At most `size` rows, drawn by the seed, in their order."""
        if size is None or size >= len(self):
            return self
        return self.select(np.sort(np.random.default_rng(seed).choice(len(self), size, replace=False)))

    def rows(self) -> Iterator[Example]:
        """The examples one by one; read in batches, which is many times faster than `examples[i]`."""
        return rows(self.examples)


def from_examples(examples: list[Example], lines: list[int], place: str) -> DataSplit:
    """Examples (all with the same keys) and their lines in one place. Raises DataError where kinds of values differ."""
    import pyarrow
    from datasets import Dataset

    table = {}
    for name in examples[0] if examples else ():
        values = [example[name] for example in examples]
        try:
            table[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, UnicodeEncodeError) as e:
            raise DataError(_odd_value(name, values, [f"{place}{line}" for line in lines], e)) from None
    zeros = np.zeros(len(lines), dtype=np.int32)
    return DataSplit(Dataset(pyarrow.table(table)), (place,), zeros, np.array(lines, dtype=np.int64))


def stack(splits: Sequence[DataSplit]) -> DataSplit:
    """Parts of the same place, after each other. Raises DataError where their kinds of values differ."""
    joined = join(splits)
    return replace(joined, places=joined.places[:1], place=np.zeros(len(joined), dtype=np.int32))


def join(splits: Sequence[DataSplit]) -> DataSplit:
    """Parts of one place each, after each other. Raises DataError where their columns or kinds of values differ."""
    import pyarrow
    from datasets import Dataset

    full = [split for split in splits if len(split)] or list(splits[:1])
    tables = [split.examples.with_format("arrow")[:].replace_schema_metadata(None) for split in full]
    for split, table in zip(full, tables, strict=True):
        if differing := sorted(set(table.column_names) ^ set(tables[0].column_names)):
            trouble = f'only one of them has the column "{differing[0]}"; give both the same columns'
            raise DataError(f"{_names(full[0], split)}: {trouble}")
        try:
            pyarrow.unify_schemas([tables[0].schema, table.schema], promote_options="permissive")
        except pyarrow.ArrowException as e:
            trouble = f"their values are of different kinds ({str(e).splitlines()[0]}); give both the same"
            raise DataError(f"{_names(full[0], split)}: {trouble}") from None
    return DataSplit(
        Dataset(pyarrow.concat_tables(tables, promote_options="permissive")),
        tuple(split.places[0] for split in full),
        np.repeat(np.arange(len(full), dtype=np.int32), [len(split) for split in full]),
        np.concatenate([split.line for split in full]),
        files={name: digest for split in splits for name, digest in split.files.items()},
        rows_read=tuple(row for split in full for row in split.rows_read),
    )


def _names(*splits: DataSplit) -> str:
    return " and ".join(split.places[0].rstrip(":") for split in splits)


def _odd_value(name: str, values: list[Any], wheres: list[str], error: Exception) -> str:
    """The first value of a column that cannot stand with the ones before it."""
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
