"""What the sections of text classification say, number by number."""

from typing import Any

import pytest
from reported import SENTIMENT, Make, StubRun, said

from hf_tasks.publish.report import label_errors, text_classification
from hf_tasks.publish.report.blocks import Block, Examples, Facts, ReportSection, Span, Table
from hf_tasks.publish.report.measured import load
from hf_tasks.publish.report.occlusion import marked

EMOTIONS = {
    "name": "text-classification", "problem_type": "multi_label_classification", "labels": ["joy", "grief"],
    "metrics": ["f1"], "threshold": {"grief": 0.4},
}  # fmt: skip


def blocks(sections: list[ReportSection]) -> dict[str, Block]:
    """By the section's title and the block's, or its number."""
    return {
        f"{section.title}/{getattr(block, 'title', '') or number}": block
        for section in sections
        for number, block in enumerate(section.blocks)
    }


def table(block: Block) -> list[list[Any]]:
    assert isinstance(block, Table)
    return [list(row) for row in block.rows]


def test_classes(sentiment: StubRun) -> None:
    found = blocks(list(text_classification.single(load(sentiment, "test"))))
    assert list(found) == [
        "Classes/Confusion matrix", "Classes/Most frequent confusions", "Classes/Each label, the lowest F1 first",
        "Probabilities/0", "Probabilities/Reliability", "Probabilities/Precision and recall at every threshold",
        "Probabilities/3",
        "Worst errors/Most confident errors: 2 of 6 predictions are wrong",
    ]  # fmt: skip
    assert table(found["Classes/Most frequent confusions"]) == [["positive", "negative", 2, 0.5]]
    assert table(found["Classes/Each label, the lowest F1 first"]) == [
        ["negative", pytest.approx(2 / 3), 0.5, 1.0, 2, pytest.approx((1 / 2 + 2 / 3) / 2)],
        ["positive", pytest.approx(2 / 3), 1.0, 0.5, 4, pytest.approx((1 + 1 + 1 + 4 / 6) / 4)],
    ]


def test_where_two_labels_are_cut(make: Make) -> None:
    rows = [{"text": "a", "label": "positive"}, {"text": "b", "label": "negative"}]
    run = make(SENTIMENT | {"threshold": 0.7, "temperature": 1.5}, rows, said(0.9, 0.6), {"accuracy": 1.0})
    facts = blocks(list(text_classification.single(load(run, "test"))))["Probabilities/3"]
    assert isinstance(facts, Facts)
    assert list(facts.pairs) == [("temperature", 1.5), ("threshold of positive", 0.7)]


def test_calibration(sentiment: StubRun) -> None:
    facts = blocks(list(text_classification.single(load(sentiment, "test"))))["Probabilities/0"]
    assert isinstance(facts, Facts)
    # bins of 1/15: .95 wrong, .9 and .9 right (0.9 ends its bin), .8 right, .7 right, .6 wrong
    error = (0.95 + 2 * 0.1 + 0.2 + 0.3 + 0.6) / 6
    expected = [
        ("expected calibration error", pytest.approx(error)), ("mean confidence", pytest.approx(4.85 / 6)),
        ("accuracy", pytest.approx(4 / 6)), ("predicted labels", 6),
    ]  # fmt: skip
    assert list(facts.pairs) == expected


def test_worst_errors_are_the_surest_ones_with_the_words_that_moved_them(sentiment: StubRun) -> None:
    found = blocks(list(text_classification.single(load(sentiment, "test"))))[
        "Worst errors/Most confident errors: 2 of 6 predictions are wrong"
    ]
    assert isinstance(found, Examples)
    first, second = found.examples
    assert (first.where, second.where) == ("test.jsonl:5", "test.jsonl:2")
    assert list(first.facts) == [
        ("label", "positive"), ("predicted", "negative"), ("probability", 0.95), ("of the label", 0.05),
    ]  # fmt: skip
    [(name, spans)] = first.passages
    assert name == ""
    assert "".join(span.text for span in spans) == "an awful bad book"
    assert [(span.text, span.kind, round(span.strength, 6)) for span in spans if span.kind] == [
        ("awful", "for", 1.0), ("bad", "for", 1.0),
    ]  # fmt: skip


def test_words_against_a_label_are_marked_as_such(sentiment: StubRun) -> None:
    [[(_, spans)]] = marked(sentiment, [{"text": "slow but fine"}], ["positive"])
    assert [(span.text, span.kind) for span in spans if span.kind] == [("slow", "against")]
    assert [row["text"] for row in sentiment.asked] == ["slow but fine", " but fine", "slow  fine", "slow but "]


def test_both_texts_of_a_pair_are_marked(sentiment: StubRun) -> None:
    [passages] = marked(sentiment, [{"text": "a bad day", "text_pair": "no"}], ["negative"])
    assert [name for name, _ in passages] == ["text", "second"]
    assert Span("bad", "for", strength=1.0) in passages[0][1]


def test_long_texts_are_asked_about_in_stretches(sentiment: StubRun) -> None:
    marked(sentiment, [{"text": "word " * 500}], ["negative"])
    assert len(sentiment.asked) == 1 + 40


def test_suspected_labels(sentiment: StubRun) -> None:
    section = label_errors.single([load(sentiment, "test")])
    # negative: mean of .9 and .7 is .8; reached by .95 of the fifth text, not by .6 of the second
    examples = section.blocks[1]
    assert isinstance(examples, Examples)
    assert examples.title == "Suspects: 1"
    [one] = examples.examples
    assert one.where == "test, test.jsonl:5"
    assert [(name, value if isinstance(value, str) else round(value, 6)) for name, value in one.facts] == [
        ("label", "positive"), ("probability", 0.05), ("may be", "negative"), ("probability", 0.95),
    ]  # fmt: skip


def test_several_labels(make: Make) -> None:
    rows = [
        {"text": "one", "labels": ["joy"]},
        {"text": "bad two", "labels": []},
        {"text": "3", "labels": ["joy", "grief"]},
    ]
    predictions = [
        {"labels": ["joy"], "probabilities": {"joy": 0.9, "grief": 0.2}},
        {"labels": ["joy"], "probabilities": {"joy": 0.8, "grief": 0.1}},
        {"labels": ["grief"], "probabilities": {"joy": 0.4, "grief": 0.6}},
    ]
    measured = load(make(EMOTIONS, rows, predictions, {"f1_micro": 2 / 3}), "test")
    found = blocks(list(text_classification.several(measured)))
    assert table(found["Labels/Each label, the lowest F1 first"]) == [
        ["joy", 0.5, 0.5, 0.5, 2, pytest.approx((1 + 2 / 3) / 2), 0.5], ["grief", 1.0, 1.0, 1.0, 1, 1.0, 0.4],
    ]  # fmt: skip
    worst = found["Worst errors/Most confident errors: 2 of 3 examples have a wrong label"]
    assert isinstance(worst, Examples)
    assert [example.where for example in worst.examples] == ["test.jsonl:2", "test.jsonl:3"]
    assert list(worst.examples[0].facts) == [("labels", "none"), ("predicted", "joy"), ("probability of joy", 0.8)]
    assert label_errors.several([measured]).blocks[1].title == "Suspects: 2"  # type: ignore[union-attr]


def test_of_many_labels_the_confused_ones_are_drawn(make: Make) -> None:
    labels = [f"label {i:02}" for i in range(30)]
    task = {
        "name": "text-classification", "problem_type": "single_label_classification", "labels": labels,
        "metrics": ["accuracy"],
    }  # fmt: skip
    rows = [{"text": "x", "label": label} for label in labels]
    answers = ["label 07", *labels[1:]]
    predictions = [
        {"label": a, "score": 0.9, "probabilities": {label: 0.9 if label == a else 0.1 / 29 for label in labels}}
        for a in answers
    ]
    found = blocks(list(text_classification.single(load(make(task, rows, predictions, {"accuracy": 29 / 30}), "test"))))
    assert "Classes/The 2 labels confused most, of 30" in found
    assert table(found["Classes/Most frequent confusions"]) == [["label 00", "label 07", 1, 1.0]]


def test_no_wrong_prediction_is_no_example(make: Make, sentiment: StubRun) -> None:
    assert marked(sentiment, [], []) == []
    assert sentiment.asked == []
    assert said(0.75)[0]["score"] == 0.75
