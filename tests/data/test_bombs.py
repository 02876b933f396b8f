"""Data files that are small on the disk and large when they are read."""

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import zstandard
from pyarrow import ipc, parquet

from hf_tasks.core.errors import DataError
from hf_tasks.data import readers
from hf_tasks.data.readers import arrow, compression, delimited, json_rows

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that tests reach at once."""
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED", 100_000)


def read(path: Path) -> list[Any]:
    with compression.opened(str(path)) as file:
        return list(readers.reader_of(str(path), None)(file, str(path)))


def refused(path: Path) -> str:
    with pytest.raises(DataError) as e:
        read(path)
    return str(e.value)


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_that_holds_more_than_any_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.jsonl{suffix}"
    path.write_bytes(PACK[suffix](b'{"text": "a"}\n' * 1_000_000))
    size = path.stat().st_size
    assert refused(path) == (
        f"{path}: its {size:,} bytes expand to more than {max(100_000, 200 * size):,}, which no real text does; "
        "if this is intended, unpack it, and name the unpacked file"
    )


@pytest.mark.parametrize("suffix", PACK)
def test_a_text_that_repeats_itself_a_little_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.jsonl{suffix}"
    rows = [{"text": f"row {i * 7919}"} for i in range(20_000)]
    path.write_bytes(PACK[suffix]("".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert [row for _, row in read(path)] == rows


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.conll"])
def test_a_line_without_end(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    path.write_bytes(b"text\n" + b"x" * 70)
    with path.open("rb") as file, pytest.raises(DataError) as e:
        list(compression.lines(file, str(path), 64))
    assert str(e.value) == f"{path}:2: the line has more than 64 bytes; write one row per line"
    with path.open("rb") as file:
        assert [len(line) for line in compression.lines(file, str(path), 70)] == [5, 70]


def test_a_line_without_end_in_a_small_file_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"x" * 50_000_000))
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED", 1_000_000)
    tracemalloc.start()
    try:
        assert "which no real text does" in refused(path)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_quote_that_swallows_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "LONGEST_LINE", 20)
    rows = list(delimited.read_csv(["text\n", '"' + "x" * 30 + '"\n', "short\n"], "a.csv"))
    assert [(line, str(row)) for line, row in rows] == [
        (2, "a text has more than 20 characters; is a quote missing before?"), (3, "{'text': 'short'}"),
    ]  # fmt: skip


def test_a_json_file_that_is_too_large_to_be_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "LARGEST_JSON", 20)
    with pytest.raises(DataError) as e:
        list(json_rows.read_json(['[{"a": 1},\n', '{"a": 2}]\n', "\n" * 20], "a.json"))
    assert str(e.value) == "a.json: has more than 20 characters; write one object per line, as .jsonl"


def test_numbers_and_depths_that_json_does_not_limit() -> None:
    found = dict(json_rows.read_jsonl(['{"a": ' + "1" * 5000 + "}", "[" * 100_000, '{"a": 1e999}'], "a"))
    assert isinstance(found[1], ValueError)
    assert str(found[2]) == "the JSON is nested too deeply; correct the line"
    assert found[3] == {"a": float("inf")}


def test_arrow_and_parquet_files_whose_columns_repeat_one_value(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["x" * 100_000] * 2_000})
    parquet.write_table(table, tmp_path / "a.parquet", compression="zstd")
    with ipc.new_file(tmp_path / "a.arrow", table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table, max_chunksize=100)
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    for name in ("a.parquet", "a.arrow"):
        assert "which no real text does" in refused(tmp_path / name)


def test_arrow_streams_and_files_are_read_in_pieces(tmp_path: Path) -> None:
    table = pyarrow.table({"text": [f"row {i}" for i in range(2_500)]})
    for name, writing in (("file", ipc.new_file), ("stream", ipc.new_stream)):
        with writing(tmp_path / f"{name}.arrow", table.schema) as writer:
            writer.write_table(table)
        with (tmp_path / f"{name}.arrow").open("rb") as file:
            assert [row["text"] for _, row in arrow.read_arrow(file, name)] == table["text"].to_pylist()
