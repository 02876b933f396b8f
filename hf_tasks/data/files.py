"""Finding data files, opening them (compressed or not), and reading their lines as UTF-8 text."""

import bz2
import difflib
import glob
import gzip
import hashlib
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from hf_tasks.errors import DataError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
STDIN = "standard input"
PROGRESS_BYTES = 50_000_000
"""Files above this size show a progress bar on a terminal."""


# -- finding


def find(patterns: Iterable[str], folders: Iterable[Path]) -> list[Path]:
    """The files that the patterns (paths or globs) name, each once, looked up in each folder in turn, the files of a
    glob sorted by name. Raises DataError with everything that is not found."""
    found: dict[Path, None] = {}
    problems: list[str] = []
    for pattern in patterns:
        matches = next(filter(None, (_matches(folder / pattern) for folder in folders)), [])
        problems += _missing(pattern, list(folders)) if not matches else _unreadable(matches)
        found |= dict.fromkeys(matches)
    if problems:
        raise DataError(*problems)
    return list(found)


def folder_of(data_dir: str, folders: Iterable[Path]) -> Path:
    """The folder that `data_dir` names: a path, or `package:NAME/sub/folder` inside an installed Python package."""
    if data_dir.startswith("package:"):
        name, _, below = data_dir.removeprefix("package:").partition("/")
        spec = find_spec(name) if name.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise DataError(f"data.data_dir: there is no installed Python package {name!r}; install it")
        candidates = [Path(place) / below for place in spec.submodule_search_locations]
    else:
        candidates = [folder / data_dir for folder in folders]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise DataError(f"data.data_dir: there is no folder {data_dir}{_close(candidates[0])}")


def _matches(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    if not glob.has_magic(str(path)):
        return []
    names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute patterns)
    return [Path(name) for name in names if Path(name).is_file()]


def _missing(pattern: str, folders: list[Path]) -> list[str]:
    if glob.has_magic(pattern):
        return [f"{pattern}: no file matches"]
    if re.fullmatch(r"[\w.-]+/[\w-]+", pattern) and not (folders[0] / pattern).parent.is_dir():
        remedy = f"a data set of the Hub is named by data.path: {pattern}, and data.train then names its split"
        return [f"{pattern}: there is no such file; {remedy}"]
    guess = next(filter(None, (_close(folder / pattern) for folder in folders)), "; give the path of a file")
    return [f"{pattern}: there is no such file{guess}"]


def _close(path: Path) -> str:
    """`; did you mean "x"?` for the closest name in the folder of a missing path, `; there is no folder`, or ""."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    close = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1, cutoff=0.6)
    return f'; did you mean "{path.parent / close[0]}"?' if close else ""


def _unreadable(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        if path.is_dir():
            yield f"{path}: is a folder, not a file; name its files with a glob such as {path}/*.csv"
        elif not os.access(path, os.R_OK):
            yield f"{path}: permission to read the file is denied; change it with chmod"


# -- opening


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The decompressed bytes of a file; "-" is standard input."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = _Progress(path)
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
    with file, io.BufferedReader(file, 1 << 20) as buffered:
        yield _decompressed(buffered, Path(path).suffix.lower())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Progress(io.FileIO):
    """A file that shows on a terminal how much of it has been read."""

    def __init__(self, path: str) -> None:
        from tqdm import tqdm

        super().__init__(path)
        size = os.fstat(self.fileno()).st_size
        quiet = None if size > PROGRESS_BYTES else True  # None: quiet unless on a terminal
        self.bar = tqdm(total=size, unit="B", unit_scale=True, desc=Path(path).name, disable=quiet, leave=False)

    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        self.bar.update(size or 0)
        return size

    def close(self) -> None:
        if not self.closed:
            self.bar.close()
        super().close()


def _decompressed(file: BinaryIO, suffix: str) -> Any:
    match suffix:
        case ".gz":
            return gzip.GzipFile(fileobj=file)
        case ".bz2":
            return bz2.BZ2File(file)
        case ".xz":
            return lzma.LZMAFile(file)
        case ".zst":
            import pyarrow

            return io.BufferedReader(pyarrow.input_stream(file, compression="zstd"))
        case _:
            return file


# -- reading

_OTHER_KINDS = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed with gzip; add .gz to its name",
    b"BZh": "is compressed with bzip2; add .bz2 to its name",
    b"\xfd7zXZ": "is compressed with xz; add .xz to its name",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; add .zst to its name",
    b"PK\x03\x04": "is a zip archive or an Excel file; unpack it, or save it as CSV in UTF-8",
    b"PAR1": "is a Parquet file; name data.format: parquet",
    b"ARROW1": "is an Arrow file; name data.format: arrow",
}


def lines(file: BinaryIO, name: str) -> Iterator[str]:
    r"""The lines of a UTF-8 file, each with its "\n" (lines end there and nowhere else). Raises DataError."""
    number, raw = 0, b""
    try:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = _beginning(raw, name)
            text = raw.decode("utf-8")
            if "\0" in text:
                raise DataError(f"{name}:{number}: a NUL byte (place {text.index(chr(0)) + 1} of the line); remove it")
            yield text
    except UnicodeDecodeError as e:
        place = f"byte {e.start + 1} of the line is 0x{raw[e.start]:02X}"
        raise DataError(f"{name}:{number}: not UTF-8 text ({place}); save the file as UTF-8") from None
    except BROKEN as e:
        raise DataError(f"{name}:{number + 1}: {broken(e, name)}") from None
    if number == 0:
        raise DataError(f"{name}: the file is empty; give a file with rows")


def everything(file: BinaryIO, name: str) -> bytes:
    """All bytes of a file. Raises DataError where it cannot be decompressed."""
    try:
        return file.read()
    except BROKEN as e:
        raise DataError(f"{name}: {broken(e, name)}") from None


BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What reading a file, compressed or not, can raise."""


def broken(error: Exception, name: str) -> str:
    suffix = Path(name).suffix
    match error:
        case EOFError():
            return f"the {suffix} file breaks off here; copy or download it again"
        case OSError(errno=int(), strerror=str(reason)) if suffix not in COMPRESSED:
            return f"cannot be read: {reason}"
        case _ if "Truncated" in str(error):
            return f"the {suffix} file breaks off here; copy or download it again"
        case _:
            return f"is broken, or no {suffix} file though its name says so; rename it, or copy it again"


def _beginning(raw: bytes, name: str) -> bytes:
    """The first line without a byte order mark. Raises DataError where the file is no UTF-8 text at all."""
    for magic, kind in _OTHER_KINDS.items():
        if raw.startswith(magic):
            raise DataError(f"{name}: {kind}")
    return raw.removeprefix(b"\xef\xbb\xbf")
