"""Writing predictions: one JSON object a line, or CSV with a column for each value."""

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hf_tasks.errors import DataError
from hf_tasks.tasks.base import Row


def write(predictions: Sequence[Row], path: Path | None) -> None:
    """Write predictions in order to a .jsonl or .csv file, or as JSON lines to standard output."""
    if path is not None and path.suffix not in (".jsonl", ".csv"):
        raise DataError(f"{path}: predictions are written as .jsonl or .csv; give such an ending")
    with _opened(path) as file:
        if path is not None and path.suffix == ".csv":
            rows = [flat(row) for row in predictions]
            columns = list(dict.fromkeys(name for row in rows for name in row))
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in predictions)


def flat(row: Row) -> dict[str, Any]:
    """A prediction as flat columns: {"probabilities": {"yes": 0.9}} becomes "probabilities.yes"; lists become JSON."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        match value:
            case dict():
                cells |= {f"{name}.{key}": cell for key, cell in value.items()}
            case list():
                cells[name] = json.dumps(value, ensure_ascii=False)
            case _:
                cells[name] = value
    return cells


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears under its name only when it is whole."""
    if path is None:
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(part, path)
    except OSError as e:
        raise DataError(f"{path}: cannot be written: {e.strerror}; choose another file with -o") from None
