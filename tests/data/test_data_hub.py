"""Data sets of the Hub, with `load_dataset` replaced: nothing is downloaded."""

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from hf_tasks.core.errors import DataError
from hf_tasks.data import Data, read_split
from hf_tasks.tasks import TextClassification

TASK = TextClassification(name="text-classification")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def calls(monkeypatch):
    seen = []

    def load_dataset(*args, **kwargs):
        seen.append((args, kwargs))
        features = Features({"texts": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
        dataset = Dataset.from_dict({"texts": ["a", "b"], "label": [1, 0]}, features=features)
        dataset.info.download_checksums = {f"hf://datasets/org/name@{COMMIT}/data/train.parquet": {}}
        return dataset

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return seen


def test_rows_names_and_record(calls):
    data = Data(path="org/name", name="small", revision="v1", train="train[:2]", columns={"text": "texts"})
    split = read_split(data, "train", TASK, seed=0)
    assert calls == [(("org/name", "small"), {"revision": "v1", "split": "train[:2]"})]
    assert list(split.rows()) == [{"text": "a", "label": "pos"}, {"text": "b", "label": "neg"}]
    assert split.where(1) == "org/name train[:2]: row 2"
    assert list(split.files) == [f"org/name@{COMMIT}"]


def test_train_is_the_split_of_that_name(calls):
    read_split(Data(path="org/name", columns={"text": "texts"}), "train", TASK, seed=0)
    read_split(Data(path="org/name", test=("a", "b"), columns={"text": "texts"}), "test", TASK, seed=0)
    assert [kwargs["split"] for _, kwargs in calls] == ["train", "a+b"]


def test_missing_column(calls):
    with pytest.raises(DataError) as error:
        read_split(Data(path="org/name"), "train", TASK, seed=0)
    assert str(error.value) == (
        'org/name train: column "text" is missing; the file has texts, label; rename with data.columns: {text: texts}'
    )


def test_not_there(monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'org/name' on the Hub (OfflineModeIsEnabled)\nmore")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataError) as error:
        read_split(Data(path="org/name"), "train", TASK, seed=0)
    assert str(error.value) == (
        "org/name train: the dataset cannot be loaded: Couldn't reach 'org/name' on the Hub (OfflineModeIsEnabled); "
        "check data.path, data.name, data.revision and the split, and that the Hub can be reached"
    )
