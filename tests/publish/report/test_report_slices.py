"""Groups of examples, their scores and intervals."""

import numpy as np
import pytest
from reported import Make, StubRun

from hf_tasks.core.errors import RunError
from hf_tasks.metrics.intervals import wilson
from hf_tasks.publish.report import slices
from hf_tasks.publish.report.measured import load, values_of
from hf_tasks.publish.report.slices import Group
from hf_tasks.publish.results_view import Interval


def as_dict(groups: list[Group]) -> dict[str, list[int]]:
    return {group.name: group.rows.tolist() for group in groups}


def test_quartiles() -> None:
    assert as_dict(list(slices.quartiles(np.arange(8), "tokens"))) == {
        "0 to 2 tokens": [0, 1, 2], "3 to 4 tokens": [3, 4], "5 to 6 tokens": [5, 6], "7 tokens": [7],
    }  # fmt: skip
    assert as_dict(list(slices.quartiles(np.array([5, 5, 5, 9]), ""))) == {"5": [0, 1, 2], "9": [3]}


def test_values_of_a_column() -> None:
    assert as_dict(slices.by_value(["b", "a", "b", None, ""])) == {"b": [0, 2], "(none)": [3, 4], "a": [1]}
    assert list(as_dict(slices.by_value(["1", "2", "1"]))) == ["1", "2"]  # few numbers stay as they are
    assert len(slices.by_value([str(i) for i in range(100)])) == 4  # many are cut into quarters


def test_a_table_of_slices(sentiment: StubRun) -> None:
    measured = load(sentiment, "test")
    table = slices.table("By label", slices.by_label(measured), measured.scorer, lowest_first=True)
    assert list(table.columns) == ["slice", "n", "accuracy", "95 % interval"]
    assert [list(row) for row in table.rows] == [
        ["positive", 4, 0.5, Interval(*wilson(0.5, 4))], ["negative", 2, 1.0, Interval(*wilson(1.0, 2))],
    ]  # fmt: skip


def test_a_slice_of_one_example_has_no_interval(sentiment: StubRun) -> None:
    scorer = load(sentiment, "test").scorer
    assert (scorer.value(np.array([1])), scorer.interval(np.array([1]))) == (0.0, None)


def test_slices_that_are_left_out_are_counted(sentiment: StubRun) -> None:
    measured = load(sentiment, "test")
    groups = [Group(str(i), np.array([0])) for i in range(23)]
    table = slices.table("Many", groups, measured.scorer)
    assert (len(table.rows), table.more) == (20, 3)


def test_by_length_in_tokens(sentiment: StubRun) -> None:
    # [CLS] and [SEP] and 3 words, but 4 of the fifth text
    assert as_dict(list(slices.by_length(load(sentiment, "test")))) == {"5 tokens": [0, 1, 2, 3, 5], "6 tokens": [4]}


def test_a_column_that_the_task_does_not_read(sentiment: StubRun) -> None:
    measured = load(sentiment, "test")
    assert values_of(measured, "genre") == ["film", "film", "film", "book", "book", None]
    with pytest.raises(RunError) as e:
        values_of(measured, "gener")
    assert str(e.value) == (
        '--slice gener: the data files have no such column; did you mean "genre"? (columns: text, label, genre)'
    )


def test_a_metric_without_sums_has_no_interval(make: Make) -> None:
    task = {"name": "text-classification", "problem_type": "regression", "metrics": ["spearman"]}
    rows = [{"text": "a", "score": float(i)} for i in range(4)]
    measured = load(make(task, rows, [{"score": s} for s in (0.0, 2.0, 1.0, 3.0)], {}), "test")
    scorer = measured.scorer
    assert scorer.name == "spearman"
    assert scorer.value(np.arange(4)) == pytest.approx(0.8)


def test_a_metric_of_confidence_reads_the_probabilities_of_a_slice(make: Make) -> None:
    task = {"name": "text-classification", "problem_type": "multi_label_classification", "labels": ["a", "b"],
            "metrics": ["brier", "f1"]}  # fmt: skip
    rows = [{"text": "a", "labels": ["a"]}, {"text": "b", "labels": ["b"]}]
    found = [{"a": 0.9, "b": 0.2}, {"a": 0.5, "b": 0.6}]
    predictions = [{"labels": [name for name in one if one[name] > 0.5], "probabilities": one} for one in found]
    scorer = load(make(task, rows, predictions, {}), "test").scorer
    assert scorer.name == "brier"
    assert [scorer.value(np.array([row])) for row in (0, 1)] == pytest.approx([0.025, 0.205])
