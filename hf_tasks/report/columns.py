"""Any column of the data files, for examples that have been read without it."""

from collections.abc import Iterable
from typing import Any

from hf_tasks.block import did_you_mean
from hf_tasks.data import hub
from hf_tasks.data.files import opened
from hf_tasks.data.readers import reader_of
from hf_tasks.errors import RunError
from hf_tasks.report.measured import Measured
from hf_tasks.tasks.types import RawRow


def values_of(measured: Measured, column: str) -> list[Any]:
    """The value of each example in a column of the files, by the lines they stand on; None where its row lacks it.

    Raises RunError where no row has the column.
    """
    part, known, found = measured.part, dict[str, None](), dict[tuple[int, int], Any]()
    for place, name in enumerate(part.places):
        for line, row in _raw(measured, name.removesuffix(":")):
            known |= dict.fromkeys(row)
            found[place, line] = row.get(column)
    if column not in known:
        names = ", ".join(known)
        raise RunError(
            f"--slice {column}: the data have no such column{did_you_mean(column, known)} (they have {names})"
        )
    return [found.get(key) for key in zip(part.place.tolist(), part.line.tolist(), strict=True)]


def _raw(measured: Measured, place: str) -> Iterable[tuple[int, RawRow]]:
    """The rows of a place as they are, with their numbers; those that cannot be read are left out."""
    section = measured.run.recipe.data
    if section.path:
        rows, _ = hub.load(section, place.removeprefix(f"{section.path} "))
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
        return
    with opened(place) as file:
        rows = reader_of(place, section.format, section.column_names)(file, place)
        yield from ((line, row) for line, row in rows if isinstance(row, dict))
