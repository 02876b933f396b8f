"""A number of 64 bits for each row of some columns: equal rows have equal numbers.

Different rows have different ones but for a chance of n^2 / 2^65 among n rows, 1 in 4 million for 3 million rows.
Rows are read in chunks of Arrow columns and never become Python objects one by one.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

CHUNK = 1 << 16
"""Rows that are in memory at once, at most."""
BYTES = 1 << 24
"""Bytes of them, on average."""


def row_hashes(examples: "Dataset", columns: Sequence[str], unordered: Sequence[str] = ()) -> np.ndarray:
    """(E,) uint64. In columns that are `unordered`, the order of a list's items means nothing."""
    hashes = [
        _combined([_of(table[name], ordered=name not in unordered) for name in columns])
        for table in tables(examples, columns)
    ]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def tables(examples: "Dataset", columns: Sequence[str]) -> Iterator[Any]:
    """The columns as Arrow tables of at most CHUNK rows and about BYTES bytes, each column in one piece."""
    table = examples.select_columns(list(columns)).with_format("arrow")
    mean = table.data.nbytes / max(table.data.num_rows, 1)
    for chunk in table.iter(batch_size=max(1, min(CHUNK, int(BYTES / max(mean, 1))))):
        yield {name: _one_piece(chunk[name]) for name in columns}


def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One hash of two, whose order counts (multiply and shift, as the finalizer of SplitMix64 does)."""
    mixed: np.ndarray = first * np.uint64(0x9E3779B97F4A7C15) + second
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def hashed(values: Any) -> np.ndarray:
    """(N,) uint64 of an Arrow array of texts or numbers."""
    import pyarrow.types
    from pandas.util import hash_array

    if not (pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type)):
        return hash_array(values.cast("float64").to_numpy(zero_copy_only=False))
    coded = values.dictionary_encode(null_encoding="encode")
    different = hash_array(coded.dictionary.to_numpy(zero_copy_only=False), categorize=False)
    coded_hashes: np.ndarray = different[coded.indices.to_numpy()]
    return coded_hashes


def _of(values: Any, *, ordered: bool) -> np.ndarray:
    """(N,) uint64 of an Arrow array of any type."""
    import pyarrow.types

    if pyarrow.types.is_struct(values.type):
        return _combined([_of(values.field(i), ordered=ordered) for i in range(values.type.num_fields)])
    if not (pyarrow.types.is_list(values.type) or pyarrow.types.is_large_list(values.type)):
        return hashed(values)
    sizes = values.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    ends = np.cumsum(sizes)
    items = _of(values.flatten(), ordered=ordered)
    if ordered:
        items = mix(items, (np.arange(len(items)) - np.repeat(ends - sizes, sizes)).astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(items, dtype=np.uint64)])  # wraps around
    return mix(sums[ends] - sums[ends - sizes], sizes.astype(np.uint64))


def _combined(hashes: list[np.ndarray]) -> np.ndarray:
    combined = hashes[0]
    for one in hashes[1:]:
        combined = mix(combined, one)
    return combined


def _one_piece(column: Any) -> Any:
    import pyarrow

    piece = column.combine_chunks()
    return pyarrow.concat_arrays(piece.chunks) if isinstance(piece, pyarrow.ChunkedArray) else piece
