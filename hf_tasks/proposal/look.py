"""Looking at data files: their parts, samples of rows, the task, and which columns and parts can serve."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hf_tasks.errors import DataError
from hf_tasks.proposal import reading, values
from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.languages import language_of
from hf_tasks.proposal.parts import PartName, Parts, ending, find_parts
from hf_tasks.proposal.profile import Column, profile
from hf_tasks.proposal.reading import Names, Reading
from hf_tasks.proposal.recognise import recognise
from hf_tasks.proposal.sample import Sample, format_of, read
from hf_tasks.tasks import Task


@dataclass(frozen=True)
class Seen:
    """All that was found in the data."""

    parts: Parts
    format: str | None
    samples: dict[PartName, Sample]
    columns: dict[str, Column]
    finding: Finding
    task: Task
    names: Names
    reading: Reading
    notes: tuple[str, ...]
    """Parts that cannot serve, and why."""


def look(arguments: Sequence[str]) -> Seen:
    """Find, read and recognise the data. Raises DataError."""
    parts = find_parts(arguments)
    train = parts.files["train"]
    every = [path for files in parts.files.values() for path in files.paths if not files.targets]
    format = format_of(every) if every else None
    samples = {name: read(files, format) for name, files in parts.files.items()}
    columns = profile(samples["train"].rows, samples["train"].columns)
    where = str(train.paths[0])
    if not train.targets:
        _check_header(columns, where)
    languages = tuple(language_of(ending(path)) for path in (*train.paths, *train.targets)) if train.targets else ()
    try:
        finding = recognise(samples["train"].rows, columns, languages, where)
    except DataError as e:
        raise DataError(*samples["train"].bad[:1], *e.problems) from None  # what hides the task may be why
    task = reading.task_of(finding)
    names = reading.names_for(finding, task, samples["train"].columns)
    read_rows = reading.examples(samples["train"], names, task)
    if len(read_rows.examples) < len(read_rows.bad):
        raise DataError(f"{where}: most rows cannot be used, the first: {read_rows.bad[0]}")
    kept, notes = _usable(parts, samples, names, task, read_rows)
    if parts.trains != "train":
        notes = (f"train: no file is called so; {train.paths[0].name} trains", *notes)
    used = replace(parts, files={name: parts.files[name] for name in kept})
    return Seen(used, format, kept, columns, finding, task, names, read_rows, notes)


def _check_header(columns: dict[str, Column], where: str) -> None:
    """DataError where the first line of a table is a row: where names are values."""
    values = [name for name in columns if len(name) > 40 or name.count(" ") > 3 or name.replace(".", "", 1).isdigit()]
    values += [name for name, column in columns.items() if column.few and name in column.counts]
    if values:
        proposed = ",".join("label" if column.few else "text" for column in columns.values())
        raise DataError(
            f'{where}:1: the first line seems to be a row ("{values[0][:40]}" is no name of a column); write a header '
            f"above it, for example {proposed}"
        )


def _usable(
    parts: Parts, samples: dict[PartName, Sample], names: Names, task: Task, train: Reading
) -> tuple[dict[PartName, Sample], tuple[str, ...]]:
    """The parts that the recipe can name, and why others cannot serve."""
    known = set(values.measure(train.examples).labels)
    kept: dict[PartName, Sample] = {}
    notes = []
    for name, sample in samples.items():
        try:
            found = reading.examples(sample, names, task)
        except ValueError as e:
            notes.append(f"{parts.files[name].paths[0]}: {'; '.join(str(e).split('; ')[:2])}")
            continue
        labels = values.measure(found.examples).labels if found.examples else {}
        if not found.examples or (known and not known & set(labels)):
            notes.append(f"{parts.files[name].paths[0]}: has no labels that train has")
        else:
            kept[name] = sample
    return kept, tuple(notes)
