"""Writing predictions: one JSON object a line, CSV with a column for each value, or a text a line."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hf_tasks import durable
from hf_tasks.errors import DataError
from hf_tasks.tasks.types import Prediction


@contextmanager
def writer(path: Path | None, *, texts: bool = False) -> Iterator[Callable[[Sequence[Prediction]], None]]:
    """A function that writes predictions in order: to a .jsonl or .csv file, or as JSON lines to standard output; where
    they are `texts`, also to a .txt file, a line each.

    A file is opened at once, so that one that cannot be written is known before the work, and it appears under its
    name only when it is whole. Raises DataError.
    """
    if path is None:
        yield lambda rows: _write_jsonl(rows, sys.stdout)
        return
    writers = WRITERS | ({".txt": _write_txt} if texts else {})
    if path.suffix not in writers:
        endings = " or ".join(writers)
        raise DataError(f"{path}: predictions are written as {endings}; give the file such an ending")
    with durable.appearing(path) as file:
        yield lambda rows: writers[path.suffix](rows, file)


def highest(row: Prediction, top: int) -> Prediction:
    """A prediction with the `top` highest of its probabilities, highest first."""
    if "probabilities" not in row:
        return row
    ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])
    return row | {"probabilities": dict(ranked[:top])}


def flat(row: Prediction) -> dict[str, Any]:
    """A prediction as flat columns: {"probabilities": {"yes": 0.9}} becomes "probabilities.yes"; lists become JSON."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        match value:
            case dict():
                cells |= flat({f"{name}.{key}": cell for key, cell in value.items()})
            case list():
                cells[name] = json.dumps(value, ensure_ascii=False)
            case _:
                cells[name] = value
    return cells


def _write_jsonl(rows: Sequence[Prediction], file: IO[str]) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(rows: Sequence[Prediction], file: IO[str]) -> None:
    cells = [flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    table = csv.DictWriter(file, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a bare "\r" too
    table.writeheader()
    table.writerows(cells)


def _write_txt(rows: Sequence[Prediction], file: IO[str]) -> None:
    """The texts alone; a line break inside one becomes a blank, so that line i is row i."""
    lines = [" ".join(row["prediction"].splitlines()) for row in rows]
    file.writelines(line + "\n" for line in lines)
    broken = sum(line != row["prediction"] for line, row in zip(lines, rows, strict=True))
    if broken:
        print(f"{broken} predictions have line breaks, written as blanks; a .jsonl file keeps them", file=sys.stderr)


WRITERS: dict[str, Callable[[Sequence[Prediction], IO[str]], None]] = {".jsonl": _write_jsonl, ".csv": _write_csv}
