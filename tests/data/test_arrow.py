"""Parquet and Arrow files, and the names behind label ids."""

import gzip

import pyarrow
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from pyarrow import parquet

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers.arrow import BATCH, dataset_rows, read_arrow, read_parquet
from hf_tasks.data.readers.compression import opened

TABLE = pyarrow.table({"text": ["a", "b"], "label": [1, None]})
ROWS = [(1, {"text": "a", "label": 1}), (2, {"text": "b", "label": None})]
LABEL = ClassLabel(names=["neg", "pos"])


def read(reader, path):
    with opened(str(path)) as file:
        return list(reader(file, path.name))


def labelled():
    columns = {"text": ["a", "b", "c"], "label": [1, -1, None], "tags": [[0, 1], [], None], "nested": [{"x": [1]}] * 3}
    features = {"text": Value("string"), "label": LABEL, "tags": List(LABEL), "nested": {"x": List(LABEL)}}
    return Dataset.from_dict(columns, features=Features(features))


NAMED = [
    (1, {"text": "a", "label": "pos", "tags": ["neg", "pos"], "nested": {"x": ["pos"]}}),
    (2, {"text": "b", "label": None, "tags": [], "nested": {"x": ["pos"]}}),
    (3, {"text": "c", "label": None, "tags": None, "nested": {"x": ["pos"]}}),
]


def test_parquet(tmp_path):
    parquet.write_table(TABLE, tmp_path / "f.parquet")
    assert read(read_parquet, tmp_path / "f.parquet") == ROWS
    (tmp_path / "f.parquet.gz").write_bytes(gzip.compress((tmp_path / "f.parquet").read_bytes()))
    assert read(read_parquet, tmp_path / "f.parquet.gz") == ROWS


@pytest.mark.parametrize("new", [pyarrow.ipc.new_file, pyarrow.ipc.new_stream])
def test_arrow_file_and_stream(tmp_path, new):
    with new(tmp_path / "f.arrow", TABLE.schema) as writer:
        writer.write(TABLE)
    assert read(read_arrow, tmp_path / "f.arrow") == ROWS


def test_rows_are_counted_across_batches(tmp_path):
    numbers = list(range(BATCH + 2))
    parquet.write_table(pyarrow.table({"n": numbers}), tmp_path / "f.parquet")
    assert read(read_parquet, tmp_path / "f.parquet") == [(n + 1, {"n": n}) for n in numbers]


def test_label_names_of_a_dataset():
    assert list(dataset_rows(labelled())) == NAMED


def test_label_names_in_parquet_and_arrow(tmp_path):
    table = labelled().with_format("arrow")[:]
    table = table.replace_schema_metadata(labelled().features.arrow_schema.metadata)
    parquet.write_table(table, tmp_path / "f.parquet")
    with pyarrow.ipc.new_stream(tmp_path / "f.arrow", table.schema) as writer:
        writer.write(table)
    assert read(read_parquet, tmp_path / "f.parquet") == NAMED
    assert read(read_arrow, tmp_path / "f.arrow") == NAMED


def test_categories_of_pandas_are_their_values(tmp_path):
    parquet.write_table(pyarrow.table({"label": pyarrow.array(["x", "y", "x"]).dictionary_encode()}), tmp_path / "f")
    assert [row["label"] for _, row in read(read_parquet, tmp_path / "f")] == ["x", "y", "x"]


@pytest.mark.parametrize("reader, kind", [(read_parquet, "Parquet"), (read_arrow, "Arrow")])
@pytest.mark.parametrize("content", [b"", b"text,label\na,1\n", b"PAR1" + b"\xff" * 40, b"ARROW1\0\0" + b"\xff" * 40])
def test_broken(tmp_path, reader, kind, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError) as error:
        read(reader, tmp_path / "f")
    assert str(error.value).startswith(f"f: is damaged or not valid {kind} (")
    assert str(error.value).endswith("); copy or download it again")
    assert len(error.value.problems) == 1 and "\n" not in str(error.value)
