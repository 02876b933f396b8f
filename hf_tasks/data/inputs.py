"""Convert Python objects to examples: strings, tuples, dicts, a pandas DataFrame or Series, a datasets.Dataset.

"A text"                            one row, in the task's first input column
("A premise", "A hypothesis")       one row, for a task that reads two columns
{"text": "A text"}                  one row
["A text", ...], a Series           one row each; also a list of tuples or of dicts
a DataFrame, a Dataset, a Table     its rows; ids of labels become their names
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.data.columns import Names
from hf_tasks.data.dataset import DataSplit
from hf_tasks.data.load import read_rows
from hf_tasks.data.readers.arrow import dataset_rows
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.types import RawRow

ACCEPTED = "a string, a list of strings, of tuples or of dicts, a pandas DataFrame or a datasets.Dataset"


def is_one_row(values: Any, task: Task) -> bool:
    """Whether a Python object is a single input rather than a collection of inputs."""
    match values:
        case str() | Mapping():
            return not _holds_splits(values)
        case tuple():
            return len(task.traits.inputs) > 1 and len(values) == len(task.traits.inputs) and _strings(values)
        case _:
            return False


def read_inputs(values: Any, task: Task, columns: Names | None = None, *, labelled: bool = False) -> DataSplit:
    """Convert Python objects to examples and keep the original rows.

    `columns`: {task's name: name in the rows}, used if the rows have these names. `labelled`: the last value of a tuple
    is the target. Raises DataError if the objects have another type or do not fit the task.
    """
    names = _tuple_names(task, labelled)
    rows = (
        [_row(values, names, task)] if is_one_row(values, task) else [_row(one, names, task) for one in _each(values)]
    )
    found = {name for row in rows if isinstance(row, Mapping) for name in row}
    used = {name: source for name, source in (columns or {}).items() if not found.isdisjoint(_listed(source))}
    return read_rows(rows, task, labelled=labelled, columns=used)


def rows_of(values: Any) -> list[RawRow]:
    """Return the rows of a DataFrame, a Dataset or a list of dicts. Raises DataError for other types."""
    rows = list(_each(values))
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number}: a dict of columns was expected; found {_shown(row)}")
    return [dict(row) for row in rows]


def is_table(values: Any) -> bool:
    """Whether an object contains rows rather than names of files."""
    return not isinstance(values, str | Path | Mapping) and not _strings(values)


def _strings(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


def _listed(source: str | tuple[str, ...]) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else source


def _tuple_names(task: Task, labelled: bool) -> tuple[str, ...]:
    """Return the names of the columns for the values of a tuple."""
    traits, columns = task.traits, task.columns
    if not labelled or columns.implied:
        return traits.inputs
    return tuple(dict.fromkeys((*traits.inputs, traits.label_column or traits.score_column or columns.targets[0])))


def _row(value: Any, names: tuple[str, ...], task: Task) -> Any:
    """Return the row for one object, or a ValueError with a message if it is not a row."""
    match value:
        case Mapping():
            return dict(value)
        case str() if len(names) == 1:
            return {names[0]: value}
        case str():
            return ValueError(f"the task reads {', '.join(names)}; give a tuple of these, found one string {value!r}")
        case list() if "tokens" in task.columns.known:
            return {"tokens": value}
        case tuple() | list() if len(value) == len(names):
            return dict(zip(names, value, strict=True))
        case tuple() | list():
            return ValueError(f"the task reads {', '.join(names)}; give one value for each, found {len(value)}")
        case _:
            return ValueError(f"a string, a tuple or a dict of columns was expected; found {_shown(value)}")


def _each(values: Any) -> Iterable[Any]:
    """Return the items of a collection. Raises DataError if it is not a supported collection."""
    kinds = _kinds(values)
    if "pandas.DataFrame" in kinds:
        return _frame_rows(values)
    if "datasets.Dataset" in kinds:
        return [row for _, row in dataset_rows(values)]
    if "pyarrow.Table" in kinds:
        return values.to_pylist()  # type: ignore[no-any-return]
    if kinds & {"pandas.Series", "numpy.ndarray"}:
        return values.tolist()  # type: ignore[no-any-return]
    if _holds_splits(values):
        raise DataError(f'this holds several splits ({", ".join(values)}); give one of them, e.g. data["test"]')
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise DataError(f"{ACCEPTED} was expected; found {_shown(values)}")
    return values


def _kinds(value: Any) -> set[str]:
    """Return the names of a value's class and base classes, e.g. `pandas.DataFrame`, without importing them."""
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}


def _holds_splits(values: Any) -> bool:
    """Whether a value is a dict of tables, e.g. a datasets.DatasetDict."""
    return isinstance(values, Mapping) and any(
        _kinds(value) & {"pandas.DataFrame", "datasets.Dataset"} for value in values.values()
    )


def _frame_rows(frame: Any) -> list[RawRow]:
    """Return the rows of a DataFrame; missing values (NaN, NaT, NA) become None."""
    filled = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in filled.to_dict("records")]


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
