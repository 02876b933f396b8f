"""Read the first sheet of an Excel file (.xlsx) as a table."""

import csv
import io
import warnings
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import Expansion, everything
from hf_tasks.data.readers.delimited import Rows, read_csv


def read_excel(file: BinaryIO, name: str) -> Rows:
    """Yield the rows of the first sheet with their numbers in it; its first row has the names of the columns.

    Formulas are read as the values that the sheet shows. Raises DataError; needs the library openpyxl.
    """
    data = everything(file, name)
    for number, row in read_csv(_as_csv(data, name), name):
        if isinstance(row, ValueError) or any(row.values()):
            yield number, row


def _as_csv(data: bytes, name: str) -> list[str]:
    """The lines of the sheet as a csv table: one for each row, so that line numbers are those of the sheet."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise DataError(
            f'{name}: Excel files need openpyxl; install it with pip install "hf_tasks[excel]", or save the '
            f"sheet as CSV in UTF-8"
        ) from None
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            Expansion(name, len(data)).add(sum(part.file_size for part in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are left out
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            rows = [[_text(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
    except DataError:
        raise
    except BadZipFile:
        raise DataError(f"{name}: is not an Excel file (.xlsx); save it again, or as CSV in UTF-8") from None
    except Exception as e:  # openpyxl raises many types
        reason = (str(e).strip() or type(e).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{name}: cannot be read as an Excel file ({reason}); save it as CSV in UTF-8") from None
    return [_line(row) for row in rows]


def _text(value: Any) -> str:
    """A cell as text without line breaks; numbers as Excel shows them."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _line(row: list[str]) -> str:
    """A row as a line of csv; cells without content behind the last column are left out."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(row)
    return written.getvalue()
