"""Python objects as the inputs of a task."""

from collections.abc import Sequence
from typing import Any

import numpy
import pandas
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from hf_tasks.core.errors import DataError
from hf_tasks.data.inputs import is_one_row, read_inputs, rows_of
from hf_tasks.tasks import QuestionAnswering, TextClassification, TokenClassification

TEXTS = TextClassification(name="text-classification", labels=("no", "yes"), problem_type="single_label_classification")
PAIRS = TEXTS.model_copy(update={"pairs": True})
QUESTIONS = QuestionAnswering(name="question-answering")
WORDS = TokenClassification(name="token-classification")
FRAME = pandas.DataFrame({"utterance": ["a", "b"], "id": [7, 8]}, index=[3, 5])


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        ({"text": "a", "id": 1}, ["a"]),
        ([{"text": "a"}, "b"], ["a", "b"]),
        (pandas.Series(["a", "b"]), ["a", "b"]),
        (numpy.array(["a", "b"]), ["a", "b"]),
        (FRAME, ["a", "b"]),
        (FRAME.rename(columns={"utterance": "text"}), ["a", "b"]),
        (Dataset.from_dict({"text": ["a", "b"]}), ["a", "b"]),
        ((text for text in "ab"), ["a", "b"]),
    ],
)
def test_objects_of_every_kind_are_texts(values: Any, texts: list[str]) -> None:
    assert read_inputs(values, TEXTS, {"text": "utterance"}).examples["text"][:] == texts


def test_a_tuple_is_a_pair_where_the_task_reads_two_columns() -> None:
    assert is_one_row(("a", "b"), PAIRS)
    assert not is_one_row(("a", "b"), TEXTS)
    assert list(read_inputs(("a", "b"), PAIRS).rows()) == [{"text": "a", "text_pair": "b"}]
    assert list(read_inputs([("Who?", "Ann."), ("Where?", "Rome.")], QUESTIONS).examples["question"]) == [
        "Who?",
        "Where?",
    ]


def test_a_list_in_a_list_are_words() -> None:
    assert read_inputs([["a", "b"], ["c"]], WORDS).examples["tokens"][:] == [["a", "b"], ["c"]]


def test_rows_are_kept_with_all_their_columns() -> None:
    assert read_inputs(FRAME, TEXTS, {"text": "utterance"}).rows_read == (
        {"utterance": "a", "id": 7}, {"utterance": "b", "id": 8},
    )  # fmt: skip


@pytest.mark.parametrize("values", [[("a", "yes")], pandas.DataFrame({"text": ["a"], "label": ["yes"]})])
def test_labelled_rows(values: Any) -> None:
    assert list(read_inputs(values, TEXTS, labelled=True).rows()) == [{"text": "a", "label": "yes"}]


def test_ids_of_a_dataset_become_labels() -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    rows = Dataset.from_dict({"text": ["a"], "label": [1]}, features=features)
    assert list(read_inputs(rows, TEXTS, labelled=True).rows()) == [{"text": "a", "label": "yes"}]
    assert rows_of(rows) == [{"text": "a", "label": "yes"}]


def test_missing_values_of_a_frame_are_none() -> None:
    assert rows_of(pandas.DataFrame({"text": ["a", None], "n": [1.0, float("nan")]})) == [
        {"text": "a", "n": 1.0}, {"text": None, "n": None},
    ]  # fmt: skip


KINDS = "a string, a list of strings, of tuples or of dicts, a pandas DataFrame or a datasets.Dataset was expected"


@pytest.mark.parametrize(
    ("values", "task", "problem"),
    [
        (3, TEXTS, f"{KINDS}; found int 3"),
        (b"a", TEXTS, f"{KINDS}; found bytes b'a'"),
        ([], TEXTS, "there are no rows; give at least one"),
        (["a", 4], TEXTS, "row 2: a string, a tuple or a dict of columns was expected; found int 4"),
        ([("a", "b")], TEXTS, "row 1: the task reads text; give one value for each, found 2"),
        ("a", PAIRS, "row 1: the task reads text, text_pair; give a tuple of these, found one string 'a'"),
        (FRAME, TEXTS, 'row 1: column "text" is missing; the rows have utterance, id; rename "utterance" to "text"'),
        (
            DatasetDict({"test": Dataset.from_dict({"text": ["a"]})}), TEXTS,
            'this holds several splits (test); give one of them, e.g. data["test"]',
        ),
    ],
)  # fmt: skip
def test_wrong_objects(values: Any, task: Any, problem: str) -> None:
    with pytest.raises(DataError) as e:
        read_inputs(values, task)
    assert e.value.problems[0] == problem


@pytest.mark.parametrize("rows", [["a"], [{"text": "a"}, 3]])
def test_tables_have_columns(rows: Sequence[Any]) -> None:
    with pytest.raises(DataError, match=r"row \d: a dict of columns was expected; found (str 'a'|int 3)$"):
        rows_of(rows)
