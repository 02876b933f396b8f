"""Open data files, compressed or not, and read their lines as UTF-8 text."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from hf_tasks.core.errors import DataError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
STDIN = "standard input"
LONGEST_LINE = 64 << 20
"""Maximum size of a line in bytes."""
LARGEST_JSON = 512 << 20
"""Maximum size in bytes of a JSON file that is one value, since it is read at once."""
EXPANSION = 200
"""Maximum ratio of decompressed to compressed size; texts have ratios from 3 to 30."""
ALWAYS_ALLOWED = 256 << 20
"""Decompressed size in bytes that is allowed at any ratio."""
PROGRESS_BYTES = 50_000_000
"""Size in bytes from which reading shows a progress bar on a terminal."""


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file and decompress it if necessary; "-" is standard input."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = _Progress(path)
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
    with file, io.BufferedReader(file, 1 << 20) as buffered:
        unpacked = _decompressed(buffered, Path(path).suffix.lower())
        yield unpacked if unpacked is buffered else _bounded(unpacked, Expansion(path, os.fstat(file.fileno()).st_size))


class _Recoded(io.RawIOBase):
    """Converts text in another encoding to UTF-8."""

    def __init__(self, file: BinaryIO, name: str, encoding: str) -> None:
        self.file, self.name, self.encoding = file, name, encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.single_bytes = codecs.lookup(encoding).name.startswith(("iso8859", "cp125", "koi8", "mac"))
        self.ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.ready:
            piece = self.file.read(1 << 16)
            try:
                self.ready = self.decoder.decode(piece, final=not piece).encode()
            except UnicodeError:
                raise DataError(f"{self.name}: is not {self.encoding} text; correct data.encoding") from None
            if self.single_bytes and is_utf8(piece):
                raise DataError(
                    f"{self.name}: is UTF-8 text, not {self.encoding}; remove data.encoding and save all files as UTF-8"
                )
            if not piece:
                break
        size = min(len(buffer), len(self.ready))
        buffer[:size], self.ready = self.ready[:size], self.ready[size:]
        return size


def is_utf8(piece: bytes) -> bool:
    """Whether bytes, which may end inside a character, are UTF-8 with characters beyond ASCII."""
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(piece).isascii()
    except UnicodeDecodeError:
        return False


def recoded(file: BinaryIO, name: str, encoding: str) -> BinaryIO:
    """Convert a text file to UTF-8. Reading raises DataError if the file does not have the encoding."""
    return io.BufferedReader(_Recoded(file, name, encoding), 1 << 16)


@dataclass
class Expansion:
    """Limits the decompressed size of a file (protection against decompression bombs)."""

    name: str
    compressed: int
    """Bytes on the disk."""
    decompressed: int = 0

    def add(self, size: int) -> None:
        """Count decompressed bytes. Raises DataError above the limit."""
        self.decompressed += size
        most = max(ALWAYS_ALLOWED, EXPANSION * self.compressed)
        if self.decompressed > most:
            raise DataError(
                f"{self.name}: its {self.compressed:,} bytes expand to more than {most:,}, which no real text does; "
                "if this is intended, unpack it, and name the unpacked file"
            )


class _Bounded(io.RawIOBase):
    """Counts the decompressed bytes that are read."""

    def __init__(self, file: Any, expansion: Expansion) -> None:
        self.file, self.expansion = file, expansion

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.file.read1(len(buffer))  # only what is available, so that errors name the right line
        buffer[: len(piece)] = piece
        self.expansion.add(len(piece))
        return len(piece)


def _bounded(file: Any, expansion: Expansion) -> BinaryIO:
    return io.BufferedReader(_Bounded(file, expansion), 1 << 20)


class _Progress(io.FileIO):
    """A file that shows its reading progress on a terminal."""

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


_OTHER_FORMATS = {
    b"\xff\xfe": "is UTF-16 text; give data.encoding: utf-16, or save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; give data.encoding: utf-16, or save it as UTF-8",
    b"\x1f\x8b": "is compressed with gzip; add .gz to its name",
    b"BZh": "is compressed with bzip2; add .bz2 to its name",
    b"\xfd7zXZ": "is compressed with xz; add .xz to its name",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; add .zst to its name",
    b"PK\x03\x04": "is a zip archive or an Excel file; unpack it, or save it as CSV in UTF-8",
    b"PAR1": "is a Parquet file; name data.format: parquet",
    b"ARROW1": "is an Arrow file; name data.format: arrow",
}


def lines(file: BinaryIO, name: str, longest: int = LONGEST_LINE) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 file, each with its "\n", the only line separator.

    Raises DataError, also if a line has more than `longest` bytes.
    """
    number, raw = 0, b""
    try:
        for number, raw in enumerate(iter(partial(file.readline, longest + 1), b""), 1):
            if len(raw) > longest:
                raise DataError(f"{name}:{number}: the line has more than {longest:,} bytes; write one row per line")
            if number == 1:
                raw = _beginning(raw, name)
            text = raw.decode("utf-8")
            if "\0" in text:
                raise DataError(
                    f"{name}:{number}: a NUL byte (place {text.index(chr(0)) + 1} of the line); save it as UTF-8 text"
                )
            yield text
    except UnicodeDecodeError as e:
        place = f"byte {e.start + 1} of the line is 0x{raw[e.start]:02X}"
        remedy = "give data.encoding, e.g. latin-1, or save the file as UTF-8"
        raise DataError(f"{name}:{number}: not UTF-8 text ({place}); {remedy}") from None
    except BROKEN as e:
        raise DataError(f"{name}:{number + 1}: {broken(e, name)}") from None
    if number == 0:
        raise DataError(f"{name}: the file is empty; give a file with rows")


def everything(file: BinaryIO, name: str) -> bytes:
    """Return all bytes of a file. Raises DataError if it cannot be decompressed."""
    try:
        data = file.read()
    except BROKEN as e:
        raise DataError(f"{name}: {broken(e, name)}") from None
    if problem := _not_data(data[:200]):
        raise DataError(f"{name}: {problem}")
    return data


BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""Exceptions that reading a file, compressed or not, can raise."""


def broken(error: Exception, name: str) -> str:
    """Return the message for an error of reading a file."""
    suffix = Path(name).suffix
    match error:
        case OSError(errno=int(), strerror=str(reason)) if suffix not in COMPRESSED:
            return f"cannot be read: {reason}"
        case _ if isinstance(error, EOFError) or "Truncated" in str(error):
            return f"the {suffix} file is truncated here; copy or download it again"
        case _:
            return f"is damaged, or not a {suffix} file in spite of its name; rename it, or copy it again"


def _beginning(raw: bytes, name: str) -> bytes:
    """Return the first line without a byte order mark. Raises DataError if the file is not UTF-8 text."""
    formats = [message for magic, message in _OTHER_FORMATS.items() if raw.startswith(magic)]
    if problem := formats[0] if formats else _not_data(raw):
        raise DataError(f"{name}: {problem}")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _not_data(first: bytes) -> str | None:
    """Return a message if a failed download is in the place of the data, by its first bytes; else None."""
    if first.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the data; fetch the data with: git lfs pull"
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)\b", first, re.IGNORECASE):
        return "is a web page (HTML), not data; download the file itself"
    return None
