"""Held-out parts: sizes counted by hand."""

from collections import Counter

import numpy as np
import pytest

from hf_tasks.data import hold_out, read_rows
from hf_tasks.data.split import _taken
from hf_tasks.errors import DataError
from hf_tasks.tasks import QuestionAnswering, TextClassification

TASK = TextClassification(name="text-classification")


def part(labels):
    return read_rows([{"text": f"t{i}", "label": label} for i, label in enumerate(labels)], TASK, labelled=True)


def test_shares_and_order():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    rest, held = hold_out(part(labels), TASK, 0.1, 7)
    assert Counter(held.examples["label"][:]) == {"a": 6, "b": 3, "c": 1}
    assert Counter(rest.examples["label"][:]) == {"a": 54, "b": 27, "c": 9}
    for one in (rest, held):
        assert np.all(np.diff(one.line) > 0)
        assert [one.examples[i]["text"] for i in range(len(one))] == [f"t{line - 1}" for line in one.line]
    assert sorted([*rest.line, *held.line]) == list(range(1, 101))


def test_seed():
    whole = part(["a", "b"] * 50)
    first, again, other = (hold_out(whole, TASK, 0.2, seed)[1].line.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_rare_strata_stay_in_the_rest():
    labels = ["a"] * 17 + ["b"] * 2 + ["c"]
    for seed in range(20):
        rest, held = hold_out(part(labels), TASK, 0.9, seed)
        assert Counter(rest.examples["label"][:]) == {"a": 1, "b": 1, "c": 1}
        assert len(held) == 17


def test_at_least_one_row_is_held_out():
    rest, held = hold_out(part(["a", "a", "b"]), TASK, 0.01, 0)
    assert (len(rest), held.examples["label"][:]) == (2, ["a"])


def test_a_stratum_each():
    rest, held = hold_out(part(["a", "b", "c", "d"]), TASK, 0.5, 0)
    assert (len(rest), len(held)) == (2, 2)


def test_whole_groups():
    rows = [
        {"question": f"q{i}", "context": f"c{i // 4}", "answers": {"text": [], "answer_start": []}} for i in range(40)
    ]
    task = QuestionAnswering(name="question-answering", version_2_with_negative=True)
    whole = read_rows(rows, task, labelled=True)
    rest, held = hold_out(whole, task, 0.25, 0)
    contexts = [set(one.examples["context"][:]) for one in (rest, held)]
    assert (len(rest), len(held)) == (28, 12)
    assert not contexts[0] & contexts[1]
    rest, held = hold_out(whole, task, 0.99, 0)
    assert (len(rest), len(held)) == (4, 36)


def test_one_row():
    with pytest.raises(DataError) as error:
        hold_out(part(["a"]), TASK, 0.1, 0)
    assert str(error.value) == "row 1: there is only this row, none can be held out; give data.validation"


@pytest.mark.parametrize(
    "sizes, total, taken",
    [
        ([60, 30, 10], 10, [6, 3, 1]),
        ([5, 5, 5], 1, [1, 0, 0]),
        ([7, 2, 1], 3, [2, 1, 0]),  # quotas 2.1, 0.6, 0.3
        ([1, 1, 8], 9, [0, 0, 7]),
        ([4, 4], 4, [2, 2]),
    ],
)
def test_largest_remainders(sizes, total, taken):
    assert _taken(np.array(sizes), total).tolist() == taken
