"""Compressed, truncated, misnamed and wrongly encoded files: exact lines and messages."""

import bz2
import gzip
import hashlib
import io
import lzma

import pytest
import zstandard

from hf_tasks.core.errors import DataError
from hf_tasks.core.hashing import sha256
from hf_tasks.data.readers.compression import lines, opened

COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def read(path, content=None):
    if content is not None:
        path.write_bytes(content)
    with opened(str(path)) as file:
        return list(lines(file, path.name))


def message(path, content):
    with pytest.raises(DataError) as error:
        read(path, content)
    return str(error.value)


def test_lines_end_at_newlines_only(tmp_path):
    text = "a\u2028b\x85\x0b\x0c\x1c\x1d\x1ec\rd\r\n\nlast"
    assert read(tmp_path / "f", text.encode()) == ["a\u2028b\x85\x0b\x0c\x1c\x1d\x1ec\rd\r\n", "\n", "last"]


def test_byte_order_mark_is_no_text(tmp_path):
    assert read(tmp_path / "f", "\ufeffa\n\ufeffb\n".encode()) == ["a\n", "\ufeffb\n"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_in_two_members(tmp_path, suffix):
    content = COMPRESS[suffix]("é\n".encode()) + COMPRESS[suffix](b"b\n")
    assert read(tmp_path / f"f.csv{suffix}", content) == ["é\n", "b\n"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_truncated(tmp_path, suffix):
    content = COMPRESS[suffix](b"a\nb\n")[:-3]
    text = message(tmp_path / f"f{suffix}", content)
    assert text.endswith(f": the {suffix} file is truncated here; copy or download it again")
    assert text.startswith("f" + suffix + ":")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_not_compressed_though_the_name_says_so(tmp_path, suffix):
    problem = f"is damaged, or not a {suffix} file in spite of its name; rename it, or copy it again"
    assert message(tmp_path / f"f{suffix}", b"text,label\na,1\n") == f"f{suffix}:1: {problem}"


def test_checksum_of_a_gzip_file(tmp_path):
    content = gzip.compress(b"a\nb\n")
    assert message(tmp_path / "f.gz", content[:-8] + b"12345678").startswith("f.gz:3: is damaged")


@pytest.mark.parametrize(
    "content, problem",
    [
        ("a\n".encode("utf-16"), "is UTF-16 text; give data.encoding: utf-16, or save it as UTF-8"),
        (b"\xfe\xff\0a", "is UTF-16 text; give data.encoding: utf-16, or save it as UTF-8"),
        (gzip.compress(b"a", mtime=0), "is compressed with gzip; add .gz to its name"),
        (bz2.compress(b"a"), "is compressed with bzip2; add .bz2 to its name"),
        (lzma.compress(b"a"), "is compressed with xz; add .xz to its name"),
        (zstandard.compress(b"a"), "is compressed with zstd; add .zst to its name"),
        (b"PK\x03\x04", "is a zip archive or an Excel file; unpack it, or save it as CSV in UTF-8"),
        (b"PAR1", "is a Parquet file; name data.format: parquet"),
        (b"ARROW1\0\0", "is an Arrow file; name data.format: arrow"),
        (b"", "the file is empty; give a file with rows"),
    ],
)
def test_no_text_file(tmp_path, content, problem):
    assert message(tmp_path / "f.csv", content) == f"f.csv: {problem}"


def test_encoding(tmp_path):
    text = message(tmp_path / "f.csv", b"ok\ncaf\xe9 au lait\n")
    assert text == (
        "f.csv:2: not UTF-8 text (byte 4 of the line is 0xE9); give data.encoding, e.g. latin-1, or save the file as "
        "UTF-8"
    )


def test_nul_byte(tmp_path):
    text = message(tmp_path / "f.csv", b"ok\na\0b\n")
    assert text == "f.csv:2: a NUL byte (place 2 of the line); save it as UTF-8 text"


def test_empty_inside_gzip(tmp_path):
    assert message(tmp_path / "f.csv.gz", gzip.compress(b"")) == "f.csv.gz: the file is empty; give a file with rows"


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    with opened("-") as file:
        assert list(lines(file, "standard input")) == ["a\n", "b\n"]


def test_large_file_shows_no_progress_bar_off_a_terminal(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("hf_tasks.data.readers.compression.PROGRESS_BYTES", 1)
    assert read(tmp_path / "f", b"a\nb\n") == ["a\n", "b\n"]
    assert capfd.readouterr().err == ""


def test_large_file_shows_a_progress_bar_on_a_terminal(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    read(tmp_path / "small", b"a\nb\n")
    assert terminal.getvalue() == ""
    monkeypatch.setattr("hf_tasks.data.readers.compression.PROGRESS_BYTES", 1)
    read(tmp_path / "large.csv", b"a\nb\n")
    assert "large.csv:   0%" in terminal.getvalue()


def test_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()
