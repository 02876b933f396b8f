"""counts/SPLIT.npz: the sufficient statistics of every evaluated example, to compute the scores again.

One array (E, K) for each metric, without texts; read without pickles and with a size limit.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hf_tasks.core.errors import RunError

FOLDER = "counts"
LARGEST = 1 << 30
"""Maximum size of all arrays of a file in bytes."""


def files_of(split: str) -> tuple[str, str]:
    """Return the files of a split whose hashes are in results.json."""
    return f"predictions/{split}.jsonl", f"{FOLDER}/{split}.npz"


def write(path: Path, tables: Mapping[str, np.ndarray]) -> None:
    """Write the tables (E, K) of a split, compressed; equal tables give equal files."""
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **{name: _small(table) for name, table in tables.items()})  # type: ignore[arg-type]


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the tables (E, K) of a split as float64. Raises RunError."""
    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise ValueError(f"unpacks to more than {LARGEST:,} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        if wrong := [name for name, table in found.items() if table.ndim != 2 or table.dtype.kind not in "uif"]:
            raise ValueError(f"{wrong[0]} is not a table of numbers")
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as e:
        reason = (str(e).strip() or type(e).__name__).splitlines()[0][:200]
        raise RunError(f"{path}: cannot be read: {reason}; restore the file, or train the run again") from None
    return {name: table.astype(float) for name, table in found.items()}


def _small(table: np.ndarray) -> np.ndarray:
    """Convert small counts to uint8."""
    counts = ((table >= 0) & (table <= 255) & (table == np.floor(table))).all()
    return table.astype(np.uint8) if counts else table
