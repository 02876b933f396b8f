"""Atomic writes: a file is complete on the disk before it appears under its name; and writers of predictions."""

import csv
import errno
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hf_tasks.core.errors import DataError, RunError


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Context manager that turns errors of the operating system while a folder is written into one RunError."""
    try:
        yield
    except Exception as e:
        cause = os_error_text(e)
        if cause is None:
            raise
        remedy = (
            "nothing already saved is lost; free some space or correct the permissions of the folder, and run the "
            "same command again to continue"
        )
        raise RunError(f"{folder}: cannot be written: {cause}; {remedy}") from e


def os_error_text(error: Exception) -> str | None:
    """Return the operating system's message for an error, or None for any other error.

    Libraries written in Rust (tokenizers, safetensors) give the number of the system's error in their messages.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(found[1])) if found else None


def json_default(value: Any) -> Any:
    """Convert numpy values and sets to JSON types and any other value to a string, for `json.dumps(default=)`."""
    match value:
        case set() | frozenset():
            return sorted(value)
        case _ if type(value).__module__ == "numpy":
            return value.tolist()
        case _:
            return str(value)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically: after a crash it holds the old or the new content."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(content)
        sync(temporary)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def overwrite_json(path: Path, value: Any) -> None:
    """Overwrite a JSON file in place, which needs no disk space; raises OSError if the new content is longer.

    A kill cannot interrupt the single system call, but a power failure can; prefer `write_json`.
    """
    content = json.dumps(value, ensure_ascii=False, indent=1).encode()
    with path.open("r+b", buffering=0) as file:
        room = os.fstat(file.fileno()).st_size
        if len(content) >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.write(content.ljust(room - 1) + b"\n")
        os.fsync(file.fileno())


@contextmanager
def atomic_output(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open an output file that appears under its name only when it is complete.

    Raises DataError if it cannot be written or another command is writing it.
    """
    partial = path.with_name(f"{path.name}.part")
    with _output_errors(path, partial):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), partial.stat()):
            raise BlockingIOError  # the other command has just finished
        os.ftruncate(descriptor, 0)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    file = os.fdopen(descriptor, mode, **text)  # type: ignore[call-overload]
    try:
        with _output_errors(path, partial):
            yield file
            file.flush()
            os.fsync(descriptor)
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        with suppress(OSError):  # closing flushes again, which fails again on a full disk
            file.close()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a folder that appears under its name only when it is complete.

    Raises RunError if another command is writing it.
    """
    partial = path.absolute().with_name(f".{path.absolute().name}.part")
    partial.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), partial.stat()):
            raise BlockingIOError  # the other command has just finished
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise RunError(f"{path}: another command is writing it; wait, or name another folder") from None
    try:
        for left in partial.iterdir():  # by a command that was killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield partial
        for written in (*partial.rglob("*"), partial):
            sync(written)
        partial.replace(path)
        sync(path.absolute().parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def _output_errors(path: Path, partial: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise DataError(f"{path}: another command is writing it; wait, or choose another file with -o") from None
    except OSError as e:
        if e.errno is None or e.filename not in (None, str(partial), str(path)):
            raise  # concerns another file
        raise DataError(f"{path}: cannot be written: {e.strerror}; choose another file with -o") from None


def publish(staging: Path, target: Path, last: str) -> None:
    """Move all files of the folder `staging` to `target`, the file `last` after all others; remove `staging`.

    If `last` is in the target, so is every other file. After an interrupted move, call it again with a new folder.
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
    """Yield every file of a folder and its subfolders, sorted by name."""
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writer(path: Path | None, *, texts: bool = False) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Give a function that writes rows to a .jsonl, .csv or .parquet file, or as JSON lines to standard output.

    With `texts`, it can also write a .txt file with one text per line. The file is opened at once, so that errors come
    before the work, and appears under its name only when it is complete. Raises DataError.
    """
    if path is None:
        yield lambda rows: _write_jsonl(rows, sys.stdout)
        return
    writers = WRITERS | ({".txt": _write_txt} if texts else {})
    if path.suffix not in writers:
        endings = ", ".join(writers)
        raise DataError(f"{path}: predictions are written as {endings}; give the file such an ending")
    with atomic_output(path, "wb" if path.suffix == ".parquet" else "w") as file:
        yield lambda rows: writers[path.suffix](rows, file)


def top_probabilities(row: dict[str, Any], top: int) -> dict[str, Any]:
    """Return a prediction with only its `top` highest probabilities, in descending order, also of each mask."""
    if "fillings" in row:
        return row | {"fillings": [dict(list(one.items())[:top]) for one in row["fillings"]]}
    if "probabilities" not in row:
        return row
    ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])
    return row | {"probabilities": dict(ranked[:top])}


def flatten(row: Mapping[str, Any], *, lists: bool = False) -> dict[str, Any]:
    """Flatten a nested dict: {"probabilities": {"yes": 0.9}} becomes {"probabilities.yes": 0.9}; lists become JSON
    unless `lists` keeps them."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        match value:
            case dict():
                cells |= flatten({f"{name}.{key}": cell for key, cell in value.items()}, lists=lists)
            case list() if not lists:
                cells[name] = json.dumps(value, ensure_ascii=False, default=str)
            case _:
                cells[name] = value
    return cells


def _write_jsonl(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _write_csv(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    cells = [flatten(row) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    table = csv.DictWriter(file, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a bare "\r" too
    table.writeheader()
    table.writerows(cells)


def _write_parquet(rows: Sequence[Mapping[str, Any]], file: IO[bytes]) -> None:
    import pyarrow
    from pyarrow import parquet

    cells = [flatten(row, lists=True) for row in rows]
    columns = {}
    for name in dict.fromkeys(name for row in cells for name in row):
        values = [row.get(name) for row in cells]
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # values of several types
            columns[name] = pyarrow.array([None if value is None else str(value) for value in values])
    parquet.write_table(pyarrow.table(columns), file)


def _write_txt(rows: Sequence[Mapping[str, Any]], file: IO[str]) -> None:
    """Write the texts alone, a line break in a text as a blank, so that line i is prediction i."""
    lines = [" ".join(row["prediction"].splitlines()) for row in rows]
    file.writelines(line + "\n" for line in lines)
    broken = sum(line != row["prediction"] for line, row in zip(lines, rows, strict=True))
    if broken:
        print(f"{broken} predictions have line breaks, written as blanks; a .jsonl file keeps them", file=sys.stderr)


WRITERS: dict[str, Callable[[Sequence[Mapping[str, Any]], IO[Any]], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
