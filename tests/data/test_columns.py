"""Which column of a file serves as which column of the task."""

from dataclasses import replace

import pytest

from hf_tasks.data.columns import check_names, renaming
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.types import Columns

ALIASES = {"sentence": "text", "sentence1": "text", "sentence2": "text_pair", "category": "label"}


class Aliased(TextClassification):
    @property
    def columns(self) -> Columns:
        return replace(super().columns, aliases=ALIASES)


TASK = Aliased(name="text-classification")


def one(found, names=None, labelled=True):
    return renaming(found, names or {}, TASK, labelled).one


def message(found, names=None, labelled=True):
    with pytest.raises(ValueError) as error:
        one(found, names, labelled)
    return str(error.value)


def test_canonical_names_and_nothing_else():
    assert one(["id", "label", "text"]) == {"text": "text", "label": "label"}


def test_mapped_names_win():
    assert one(["text", "body", "label"], {"text": "body"}) == {"text": "body", "label": "label"}


def test_a_mapped_column_no_longer_serves_under_its_own_name():
    assert one(["text", "label"], {"labels": "label"}) == {"text": "text", "labels": "label"}
    assert one(["a", "text", "score"], {"text": "a", "text_pair": "text"}) == {
        "text": "a", "text_pair": "text", "score": "score",
    }  # fmt: skip


def test_a_mapped_target_is_the_only_target():
    assert one(["text", "label", "similarity"], {"score": "similarity"}) == {"text": "text", "score": "similarity"}


def test_the_canonical_name_serves_where_the_mapped_column_is_absent():
    assert one(["text"], {"text": "body"}, labelled=False) == {"text": "text"}
    assert one(["text", "labels"], {"text": "body", "labels": ("joy", "fear")}) == {"text": "text", "labels": "labels"}
    assert message(["text"], {"text": "a", "text_pair": "text"}, labelled=False) == (
        'data.columns maps text to "a", which the file lacks; it has text'
    )


def test_an_alias_serves_in_rows_to_predict_where_the_mapped_column_is_absent():
    assert one(["sentence"], {"text": "body"}, labelled=False) == {"text": "sentence"}
    assert one(["body", "sentence"], {"text": "body"}, labelled=False) == {"text": "body"}
    assert message(["sentence", "label"], {"text": "body"}).startswith('data.columns maps text to "body"')


def test_unlabelled_files_need_no_target_and_give_none():
    assert one(["text", "label"], labelled=False) == {"text": "text"}
    assert one(["text"], {"label": "category"}, labelled=False) == {"text": "text"}
    assert one(["text", "category"], labelled=False) == {"text": "text"}


def test_aliases():
    assert one(["sentence1", "sentence2", "category"]) == {
        "text": "sentence1", "text_pair": "sentence2", "label": "category",
    }  # fmt: skip
    assert one(["sentence", "sentence1", "label"]) == {"text": "sentence", "label": "label"}
    assert one(["text", "sentence", "labels", "category"]) == {"text": "text", "labels": "labels"}
    assert one(["sentence1", "sentence2", "label"], {"text": "sentence2"}) == {"text": "sentence2", "label": "label"}


def test_one_column_a_label():
    rename = renaming(["text", "joy", "fear"], {"labels": ("joy", "fear")}, TASK, True)
    assert rename({"text": "a", "joy": "1", "fear": "0"}) == {"text": "a", "labels": {"joy": "1", "fear": "0"}}
    assert rename({"text": "a", "joy": "1"}) == {"text": "a", "labels": {"joy": "1", "fear": None}}


def test_an_absent_value_is_none():
    assert renaming(["text", "label"], {}, TASK, True)({"label": 1}) == {"text": None, "label": 1}


@pytest.mark.parametrize(
    "found, names, problem",
    [
        (
            ["texts", "name", "label"], {},
            'column "text" is missing; the file has texts, name, label; rename with data.columns: {text: texts}',
        ),
        (
            ["headline", "body", "label"], {},
            'column "text" is missing; the file has headline, body, label; rename with data.columns: {text: NAME}',
        ),
        (
            ["text", "stance"], {},
            'column "label" or "labels" or "score" is missing; the file has text, stance; '
            "rename with data.columns: {label: stance}",
        ),
        (["text"], {}, 'column "label" or "labels" or "score" is missing; there is only text; add the column'),
        (
            ["Where is my card?", "card_arrival"], {},
            'column "text" is missing; the first line seems to be a row (Where is my card?, card_arrival); '
            "write a header above it, or name the columns with data.column_names",
        ),
        (
            ["body", "label"], {"text": "bdy"},
            'data.columns maps text to "bdy", which the file lacks; did you mean "body"?',
        ),
        (
            ["text", "joy"], {"labels": ("joy", "xxxxxx")},
            'data.columns maps labels to "xxxxxx", which the file lacks; it has text, joy',
        ),
    ],
)  # fmt: skip
def test_missing(found, names, problem):
    assert message(found, names) == problem


def test_only_labels_are_several_columns():
    names = {"text": ("a", "b"), "labels": ("joy", "fear"), "label": ("c",)}
    assert check_names(names, TASK) == [
        "data.columns.text: only labels can be several columns; name one",
        "data.columns.label: only labels can be several columns; name one",
    ]


def test_names_that_the_task_does_not_know():
    assert check_names({"txt": "a", "label": "b"}, TASK) == [
        'data.columns: text-classification has no column "txt"; did you mean "text"? '
        "(one of: text, text_pair, label, labels, score)"
    ]
