"""Files that a crash cannot leave half written: each is complete on the disk before its name appears.

Writing predictions: one JSON object a line, CSV with a column for each value, or a text a line."""

import csv
import errno
import fcntl
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hf_tasks.core.errors import DataError, RunError


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """What goes wrong while a folder is written, as one RunError: no room, no permission."""
    try:
        yield
    except Exception as e:
        cause = os_error_text(e)
        if cause is None:
            raise
        remedy = (
            "nothing already saved is lost; free some space or correct the permissions of the folder, and give the "
            "same command again to continue"
        )
        raise RunError(f"{folder}: cannot be written: {cause}; {remedy}") from e


def os_error_text(error: Exception) -> str | None:
    """What the operating system refused, in its words; None where an error is of another kind. Libraries written in
    Rust (tokenizers, safetensors) name the number of the system's error in their messages."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(found[1])) if found else None


def plain(value: Any) -> Any:
    """A value that JSON lacks as one that it has: numpy's numbers and arrays, sets; dates and paths as strings. For
    `json.dumps(default=)`."""
    match value:
        case set() | frozenset():
            return sorted(value)
        case _ if type(value).__module__ == "numpy":
            return value.tolist()
        case _:
            return str(value)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at one instant: readers, and a machine that stops, see the old one or the new one."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file at one instant."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def overwrite_json(path: Path, value: Any) -> None:
    """Write over a JSON file, which must be as long at least: it takes no room. (One call of the system, which a kill
    does not divide; for the machine that stops in it, `write_json` is the better way.)"""
    content = json.dumps(value, ensure_ascii=False, indent=1).encode()
    with path.open("r+b", buffering=0) as file:
        room = os.fstat(file.fileno()).st_size
        if len(content) >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.write(content.ljust(room - 1) + b"\n")
        os.fsync(file.fileno())


@contextmanager
def atomic_output(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file of a command's output, which appears under its name once it is whole. DataError where it cannot be
    written, or another command is writing it."""
    split = path.with_name(f"{path.name}.part")
    with _output(path, split):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        descriptor = os.open(split, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), split.stat()):
            raise BlockingIOError  # the other command has just finished
        os.ftruncate(descriptor, 0)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    file = os.fdopen(descriptor, mode, **text)  # type: ignore[call-overload]
    try:
        with _output(path, split):
            yield file
            file.flush()
            os.fsync(descriptor)
            split.replace(path)
    except BaseException:
        split.unlink(missing_ok=True)
        raise
    finally:
        with suppress(OSError):  # what could not be written cannot be written now either
            file.close()


@contextmanager
def _output(path: Path, split: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise DataError(f"{path}: another command is writing it; wait, or choose another file with -o") from None
    except OSError as e:
        if e.errno is None or e.filename not in (None, str(split), str(path)):
            raise  # of something else that the work reads or writes
        raise DataError(f"{path}: cannot be written: {e.strerror}; choose another file with -o") from None


def publish(staging: Path, target: Path, last: str) -> None:
    """Move the files of a folder into another one, the file `last` after all others; the empty folder is removed.

    Whoever finds `last` in the target finds everything. A move that was cut short is done again with a new staging.
    """
    files = [path.relative_to(staging) for path in files_below(staging)]
    for path in (staging, *staging.rglob("*")):
        sync(path)
    for name in sorted(files, key=lambda name: name.as_posix() == last):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target / name)
        sync((target / name).parent)
    for folder in sorted((path for path in staging.rglob("*")), reverse=True):
        folder.rmdir()
    staging.rmdir()


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of a folder and the folders in it, sorted by name."""
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writer(path: Path | None, *, texts: bool = False) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
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
    with atomic_output(path) as file:
        yield lambda rows: writers[path.suffix](rows, file)


def highest(row: dict[str, Any], top: int) -> dict[str, Any]:
    """A prediction with the `top` highest of its probabilities, highest first."""
    if "probabilities" not in row:
        return row
    ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])
    return row | {"probabilities": dict(ranked[:top])}


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
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


def _write_jsonl(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    cells = [flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    table = csv.DictWriter(file, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a bare "\r" too
    table.writeheader()
    table.writerows(cells)


def _write_txt(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    """The texts alone; a line break inside one becomes a blank, so that line i is row i."""
    lines = [" ".join(row["prediction"].splitlines()) for row in rows]
    file.writelines(line + "\n" for line in lines)
    broken = sum(line != row["prediction"] for line, row in zip(lines, rows, strict=True))
    if broken:
        print(f"{broken} predictions have line breaks, written as blanks; a .jsonl file keeps them", file=sys.stderr)


WRITERS: dict[str, Callable[[Sequence[Mapping[str, Any]], IO[str]], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}
