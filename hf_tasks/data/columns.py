"""Map the columns of a file to the columns of a task."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_tasks.core.section import did_you_mean
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.types import RawRow

Names = Mapping[str, str | tuple[str, ...]]

_IDENTIFIER = re.compile(r"(?i)(.*[_\-. ])?(id|idx|uuid|guid|index|key|hash)")

FILE_HAS = "the file has {found}; rename with data.columns: {{{column}: {guess}}}"
ROWS_HAVE = 'the rows have {found}; rename "{guess}" to "{column}"'


KEYED = ("labels",)
"""Task columns that become a dict of source columns and values if several source columns are given."""


@dataclass(frozen=True)
class Renaming:
    """The source column(s) of each task column; call it to rename the columns of a row."""

    one: dict[str, str]
    several: dict[str, tuple[str, ...]]
    """Task columns with several source columns: a dict of flags for labels, else a list of texts."""
    implied: tuple[str, ...] = ()
    """Targets that follow from the inputs."""

    def __call__(self, row: RawRow) -> RawRow:
        renamed: dict[str, Any] = {column: row.get(source) for column, source in self.one.items()}
        for column, sources in self.several.items():
            values = {source: row.get(source) for source in sources}
            given = [value for value in values.values() if value not in (None, "")]
            renamed[column] = values if column in KEYED else given
        return renamed | dict.fromkeys(self.implied, True)


def check_names(names: Names, task: Task) -> list[str]:
    """Return the errors in `data.columns` that do not depend on the files."""
    known = task.columns.known
    unknown = [name for name in names if name not in known]
    remedy = f"(one of: {', '.join(known)})"
    wrong = [
        f'data.columns: {task.name} has no column "{name}"{did_you_mean(name, known)} {remedy}' for name in unknown
    ]
    several = [name for name, sources in names.items() if isinstance(sources, tuple) and name in known]
    return wrong + [
        f"data.columns.{name}: {_only(task.columns.lists)} can be several columns; name one"
        for name in several
        if name not in task.columns.lists
    ]


def nested(row: RawRow, name: str) -> Any:
    """Return the value of a dotted name in nested dicts and lists: `meta.label`, `annotations.0.result`.

    Raises LookupError if the row does not have it.
    """
    value: Any = row
    for key in name.split("."):
        if not isinstance(value, dict | list):
            raise LookupError(name)
        value = value[int(key) if isinstance(value, list) and key.isdecimal() else key]  # type: ignore[index]
    return value


def wanted(names: Names, task: Task) -> set[str]:
    """Return the names of all columns of a file that the task can use."""
    mapped = {source for sources in names.values() for source in _listed(sources)}
    return {*task.columns.known, *task.columns.aliases, *mapped}


def renaming(found: Sequence[str], names: Names, task: Task, labelled: bool, advice: str = FILE_HAS) -> Renaming:
    """Choose the source of each task column among `found`. Raises ValueError with `advice` if one is missing.

    A mapped column (`names`) is used for its task column only; if a target is mapped, no other target is read. If the
    mapped column is absent, a column with the task's own name is used, and for rows to predict (not `labelled`) one of
    the task's aliases. Columns that are not mapped have the task's name or an alias.
    """
    spec = task.columns
    targets = [name for name in spec.targets if name in names] or list(spec.targets)
    sources: dict[str, str | tuple[str, ...]] = {}
    taken = _taken(names)
    by_alias = {column for alias, column in spec.aliases.items() if alias in found and alias not in taken}
    not_needed = set() if labelled else {*spec.optional, *by_alias}
    for column in (*spec.required, *spec.optional, *(targets if labelled else ())):
        own_name = column in found and column not in taken
        absent = column in names and _absent(names[column], found)
        if column in names and not (absent and (own_name or column in not_needed)):
            sources[column] = names[column]
        elif own_name:
            sources[column] = column
    for alias, column in spec.aliases.items():
        usable = alias in found and alias not in taken and (labelled or column not in spec.targets)
        rivals = targets if column in spec.targets else [column]
        if usable and not any(rival in sources for rival in rivals):
            sources[column] = alias
    _check_found(sources, found)
    implied = spec.implied if labelled else ()
    if words := spec.missing([*sources, *implied], labelled=labelled):
        others = [name for name in found if name not in spec.known]
        raise ValueError(_missing(words, others, found, sources, advice))
    return Renaming(
        {column: source for column, source in sources.items() if isinstance(source, str)},
        {column: source for column, source in sources.items() if isinstance(source, tuple)},
        implied,
    )


def _only(names: Sequence[str]) -> str:
    return f"only {' or '.join(names)}" if names else "none"


def _listed(sources: str | tuple[str, ...]) -> tuple[str, ...]:
    return (sources,) if isinstance(sources, str) else sources


def _absent(sources: str | tuple[str, ...], found: Sequence[str]) -> list[str]:
    return [source for source in _listed(sources) if source not in found]


def _taken(names: Names) -> set[str]:
    return {source for sources in names.values() for source in _listed(sources)}


def _check_found(sources: Names, found: Sequence[str]) -> None:
    for column, wanted in sources.items():
        for source in _absent(wanted, found):
            guess = did_you_mean(source, found) or f"; it has {_listing(found)}"
            raise ValueError(f'data.columns maps {column} to "{source}", which the file lacks{guess}')


def _missing(words: str, renamed: Sequence[str], found: Sequence[str], sources: Names, advice: str) -> str:
    """Return the message for a missing column; `renamed`: the columns whose names are none of the task's."""
    if any(_looks_like_value(name) for name in found):
        remedy = "write a header above it, or name the columns with data.column_names"
        return f"{words} is missing; the first line seems to be a row ({_listing(found)}); {remedy}"
    column = words.split('"')[1]
    free = [name for name in renamed if name not in _taken(sources) and not _IDENTIFIER.fullmatch(name)]
    if not free:
        return f"{words} is missing; there is only {_listing(found)}; add the column"
    guess = (difflib.get_close_matches(column, free, n=1, cutoff=0.6) or (free if len(free) == 1 else ["NAME"]))[0]
    return f"{words} is missing; " + advice.format(found=_listing(found), column=column, guess=guess)


def _looks_like_value(name: str) -> bool:
    return len(name) > 40 or name.count(" ") > 2 or name.endswith((".", "?", "!")) or name.replace(".", "", 1).isdigit()


def _listing(found: Sequence[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:37]}..." for name in found[:20]]
    return ", ".join(shown) + (f" and {len(found) - 20} more" if len(found) > 20 else "")
