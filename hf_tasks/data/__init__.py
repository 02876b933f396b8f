"""Read files and Hub datasets into typed examples."""

from hf_tasks.data.dataset import DataSplit
from hf_tasks.data.holdout import fold_of, hold_out, sample
from hf_tasks.data.inputs import is_one_row, read_inputs
from hf_tasks.data.load import check, check_splits, read_file, read_rows, read_split
from hf_tasks.data.named_files import file_hashes
from hf_tasks.data.section import Data

__all__ = [
    "Data", "DataSplit", "check", "check_splits", "file_hashes", "fold_of", "hold_out", "is_one_row", "read_file",
    "read_inputs", "read_rows", "read_split", "sample",
]  # fmt: skip
