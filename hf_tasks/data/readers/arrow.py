"""Readers of Parquet and Arrow files and of Hub datasets; label ids become the label names in the file's metadata."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.compression import Expansion, everything
from hf_tasks.data.readers.delimited import RowNumber, Rows
from hf_tasks.data.section import Data

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 1000


def read_parquet(file: BinaryIO, name: str) -> Rows:
    """Yield the rows of a Parquet file with their numbers, counted from 1."""
    import pyarrow
    from pyarrow import parquet

    data = everything(file, name)
    try:
        table = parquet.ParquetFile(pyarrow.BufferReader(data))
        yield from _rows(table.schema_arrow, _counted(table.iter_batches(BATCH), Expansion(name, len(data))))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as e:
        raise DataError(f"{name}: {_broken('Parquet', e)}") from None


def read_arrow(file: BinaryIO, name: str) -> Rows:
    """Yield the rows of an Arrow file (IPC file or stream format) with their numbers, counted from 1."""
    import pyarrow

    data = pyarrow.py_buffer(everything(file, name))
    try:
        stream = pyarrow.ipc.open_file if data[:6].to_pybytes() == b"ARROW1" else pyarrow.ipc.open_stream
        reader = stream(data)
        batches = _counted(_batches(reader), Expansion(name, data.size))
        yield from _rows(reader.schema, (piece for batch in batches for piece in _pieces(batch)))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as e:
        raise DataError(f"{name}: {_broken('Arrow', e)}") from None


def dataset_rows(data: "Dataset") -> Rows:
    """Yield the rows of a `datasets.Dataset` with their numbers, counted from 1."""
    yield from _rows(data.features.arrow_schema, data.with_format("arrow").iter(BATCH))


def _batches(reader: Any) -> Iterator[Any]:
    """Yield the record batches of an IPC file or stream."""
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


def _pieces(batch: Any) -> Iterator[Any]:
    yield from (batch.slice(start, BATCH) for start in range(0, batch.num_rows, BATCH))


def _counted(batches: Any, expansion: Expansion) -> Iterator[Any]:
    """Yield the batches and count their bytes. Raises DataError if the file expands beyond the limit."""
    for batch in batches:
        expansion.add(batch.nbytes)
        yield batch


def _broken(kind: str, error: Exception) -> str:
    return f"is damaged or not valid {kind} ({str(error).splitlines()[0].rstrip('.')}); copy or download it again"


def _rows(schema: Any, batches: Any) -> Rows:
    from datasets import Features

    described = b"huggingface" in (schema.metadata or {})  # written by `datasets`, with the label names
    features = Features.from_arrow_schema(schema) if described else {}
    named = {column: feature for column, feature in features.items() if _has_names(feature)}
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield RowNumber(number), row | {column: _named(feature, row[column]) for column, feature in named.items()}


def _has_names(feature: Any) -> bool:
    from datasets import ClassLabel

    return any(isinstance(leaf, ClassLabel) for leaf in _leaves(feature))


def _leaves(feature: Any) -> Iterator[Any]:
    from datasets import LargeList, List

    match feature:
        case List(feature=inner) | LargeList(feature=inner):
            yield from _leaves(inner)
        case dict():
            for inner in feature.values():
                yield from _leaves(inner)
        case _:
            yield feature


def _named(feature: Any, value: Any) -> Any:
    """Replace label ids by names; -1, the Hub's id of unlabelled rows, becomes None."""
    from datasets import ClassLabel, LargeList, List

    match feature:
        case _ if value is None:
            return None
        case ClassLabel():
            return feature.names[value] if value >= 0 else None
        case List(feature=inner) | LargeList(feature=inner):
            return [_named(inner, item) for item in value]
        case dict():
            return {key: _named(inner, value[key]) for key, inner in feature.items()}
        case _:
            return value


def pinned(data: Data) -> Data:
    """Return the section with the dataset's current commit on the Hub as `revision`.

    The section is unchanged for files, and if the Hub does not answer, so that the cache is used.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    if not data.path:
        return data
    try:
        commit = HfApi().dataset_info(data.path, revision=data.revision).sha
    except (OSError, ValueError, HTTPError):
        return data
    return data.model_copy(update={"revision": commit}) if commit else data


def load(data: Data, split: str) -> tuple[Rows, dict[str, str]]:
    """Load a split of a Hub dataset: its rows and {`id@revision`: fingerprint}. Raises DataError."""
    from datasets import load_dataset

    try:
        dataset = load_dataset(data.path, data.name, revision=data.revision, split=split)
    except Exception as e:  # the libraries that `datasets` uses raise many types
        reason = re.split(r"[\n.] ?", str(e).strip())[0] or type(e).__name__
        remedy = "check data.path, data.name, data.revision and the split, and that the Hub can be reached"
        raise DataError(f"{data.path} {split}: the dataset cannot be loaded: {reason}; {remedy}") from None
    commits = re.findall(r"@([0-9a-f]{40})/", " ".join(dataset.info.download_checksums or {}))
    revision = commits[0] if commits else data.revision or "main"
    return dataset_rows(dataset), {f"{data.path}@{revision}": str(dataset._fingerprint)}
