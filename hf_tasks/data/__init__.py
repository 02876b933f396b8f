"""Data: files and Hub data sets to typed examples."""

from hf_tasks.data.file_hashes import file_hashes
from hf_tasks.data.part import Part
from hf_tasks.data.read import check, check_parts, read_file, read_part, read_rows
from hf_tasks.data.section import Data
from hf_tasks.data.split import hold_out

__all__ = [
    "Data", "Part", "check", "check_parts", "file_hashes", "hold_out", "read_file", "read_part", "read_rows",
]  # fmt: skip
