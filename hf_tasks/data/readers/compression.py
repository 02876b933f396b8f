"""Opening data files, compressed or not, and reading their lines as UTF-8 text."""

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
"""Bytes of a line."""
LARGEST_JSON = 512 << 20
"""Bytes of a JSON file that is one value, since it is read at once."""
EXPANSION = 200
"""Times its own size that a compressed file may hold; texts are compressed to a third or a thirtieth."""
ALWAYS = 256 << 20
"""Bytes that any compressed file may hold."""
PROGRESS_BYTES = 50_000_000
"""Files above this size show a progress bar on a terminal."""


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
        unpacked = _decompressed(buffered, Path(path).suffix.lower())
        yield unpacked if unpacked is buffered else _bounded(unpacked, Expansion(path, os.fstat(file.fileno()).st_size))


class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, file: BinaryIO, name: str, encoding: str) -> None:
        self.file, self.name, self.encoding = file, name, encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()
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
            if not piece:
                break
        size = min(len(buffer), len(self.ready))
        buffer[:size], self.ready = self.ready[:size], self.ready[size:]
        return size


def recoded(file: BinaryIO, name: str, encoding: str) -> BinaryIO:
    """A text file in another encoding, as UTF-8. Reading it raises DataError where it is not in that encoding."""
    return io.BufferedReader(_Recoded(file, name, encoding), 1 << 16)


@dataclass
class Expansion:
    """How much a file holds that takes fewer bytes on the disk."""

    name: str
    stored: int
    """Bytes on the disk."""
    held: int = 0

    def add(self, size: int) -> None:
        """Count bytes. Raises DataError where there are more than any text gives."""
        self.held += size
        most = max(ALWAYS, EXPANSION * self.stored)
        if self.held > most:
            raise DataError(
                f"{self.name}: its {self.stored:,} bytes hold more than {most:,}, which no real text does; "
                "if this is meant, unpack it, and name the unpacked file"
            )


class _Bounded(io.RawIOBase):
    """Decompressed bytes, counted."""

    def __init__(self, file: Any, expansion: Expansion) -> None:
        self.file, self.expansion = file, expansion

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.file.read1(len(buffer))  # what there is, so that an error comes where it is
        buffer[: len(piece)] = piece
        self.expansion.add(len(piece))
        return len(piece)


def _bounded(file: Any, expansion: Expansion) -> BinaryIO:
    return io.BufferedReader(_Bounded(file, expansion), 1 << 20)


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


_OTHER_KINDS = {
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
    r"""The lines of a UTF-8 file, each with its "\n" (lines end there and nowhere else). Raises DataError, also where
    a line has more than `longest` bytes."""
    number, raw = 0, b""
    try:
        for number, raw in enumerate(iter(partial(file.readline, longest + 1), b""), 1):
            if len(raw) > longest:
                raise DataError(f"{name}:{number}: the line has more than {longest:,} bytes; write a row in each line")
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
    """All bytes of a file. Raises DataError where it cannot be decompressed."""
    try:
        data = file.read()
    except BROKEN as e:
        raise DataError(f"{name}: {broken(e, name)}") from None
    if problem := _no_data(data[:200]):
        raise DataError(f"{name}: {problem}")
    return data


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
    kinds = [kind for magic, kind in _OTHER_KINDS.items() if raw.startswith(magic)]
    if problem := kinds[0] if kinds else _no_data(raw):
        raise DataError(f"{name}: {problem}")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _no_data(first: bytes) -> str | None:
    """What a download left in the place of the data, by its first bytes; None for anything else."""
    if first.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the data; fetch the data with: git lfs pull"
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)\b", first, re.IGNORECASE):
        return "is a web page (HTML), not data; download the file itself"
    return None
