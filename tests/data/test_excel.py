"""Excel files: the first sheet as a table, with the line numbers of the sheet."""

import datetime
import io
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers import reader_of
from hf_tasks.data.readers.compression import opened

ROWS = [
    ["id", "text", "label", "seen"],
    [1, "a good film", "yes", datetime.date(2026, 1, 2)],
    [None, None, None, None],
    [2.0, 'said "well",\nand left', "no", None],
    [0.5, "=1+1", True, None],
]


def sheet(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["not read"])
    book.save(path)
    return path


def read(path: Path) -> list[tuple[int, dict[str, str]]]:
    with opened(str(path)) as file:
        return list(reader_of(str(path), None)(file, str(path)))


def test_the_rows_of_the_first_sheet(tmp_path: Path) -> None:
    assert read(sheet(tmp_path / "a.xlsx", ROWS)) == [
        (2, {"id": "1", "text": "a good film", "label": "yes", "seen": "2026-01-02 00:00:00"}),
        (4, {"id": "2", "text": 'said "well", and left', "label": "no", "seen": ""}),
        (5, {"id": "0.5", "text": "", "label": "True", "seen": ""}),  # no program has computed the formula
    ]


def test_what_is_wrong_has_its_line(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.xlsx", [["text", "text"], ["a", "b"]])
    with pytest.raises(DataError, match=r"a\.xlsx:1: .*text"):
        read(path)


def test_what_is_no_excel_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"text,label\n")
    with pytest.raises(DataError) as e:
        read(path)
    assert str(e.value) == f"{path}: is not an Excel file (.xlsx); save it again, or as CSV in UTF-8"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(DataError, match="cannot be read as an Excel file"):
        read(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/worksheets/a.xml", "w") as part:
        for _ in range(300):
            part.write(bytes(1 << 20))
    with pytest.raises(DataError, match="expand to more than"):
        read(path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sheet(tmp_path / "a.xlsx", ROWS)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError) as e:
        read(path)
    assert 'install it with pip install "hf_tasks[excel]"' in str(e.value)


def test_options_of_text_files_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.encoding is for text files, this one is excel"):
        reader_of("a.xlsx", None, encoding="cp1252")(io.BytesIO(), "a.xlsx")
