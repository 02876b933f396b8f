"""Sections of tagged sentences, answers, texts and numbers, number by number."""

from typing import Any

import pytest
from reported import Make

from hf_tasks.publish.report import question_answering, text2text, text_classification, token_classification
from hf_tasks.publish.report.blocks import Examples, Facts, ReportSection, Table
from hf_tasks.publish.report.measured import load

TAGS = {
    "name": "token-classification", "scheme": "IOB2", "metrics": ["entity_f1"],
    "labels": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
}  # fmt: skip
QA = {
    "name": "question-answering", "version_2_with_negative": True, "null_score_diff_threshold": 0.0,
    "metrics": ["squad_v2"],
}  # fmt: skip
TRANSLATION = {"name": "translation", "metrics": ["bleu"]}
SIMILARITY = {"name": "text-classification", "problem_type": "regression", "metrics": ["mse"]}


def block(sections: list[ReportSection], title: str) -> Any:
    return next(one for section in sections for one in section.blocks if getattr(one, "title", "") == title)


def rows_of(sections: list[ReportSection], title: str) -> list[list[Any]]:
    table = block(sections, title)
    assert isinstance(table, Table)
    return [list(row) for row in table.rows]


def test_entities(make: Make) -> None:
    rows = [
        {"tokens": ["Ann", "Lee", "met", "Bo", "in", "Rome"], "tags": ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]},
        {"tokens": ["all", "right", "now"], "tags": ["O", "O", "O"]},
        {"tokens": ["Oslo"], "tags": ["B-LOC"]},
    ]
    found = [["B-PER", "O", "O", "B-LOC", "O", "B-LOC"], ["O", "O", "B-PER"], ["B-LOC"]]
    predictions = [
        {"tokens": row["tokens"], "tags": tags, "scores": [0.9] * len(tags)}
        for row, tags in zip(rows, found, strict=True)
    ]
    measured = load(make(TAGS, rows, predictions, {"entity_f1": 0.4}), "test")
    sections = list(token_classification.sentences(measured, "IOB2"))
    assert rows_of(sections, "Each type, the lowest F1 first") == [
        ["PER", 0.0, 0.0, 0.0, 2], ["LOC", 0.8, pytest.approx(2 / 3), 1.0, 2],
    ]  # fmt: skip
    assert rows_of(sections, "Error types") == [
        ["correct", 2], ["correct words, wrong type", 1], ["wrong boundary, correct type", 1],
        ["wrong boundary, wrong type", 0], ["missed", 0], ["spurious: no entity there", 1],
    ]  # fmt: skip
    assert rows_of(sections, "Most frequent confusions") == [["PER", "LOC", 1, 0.5], ["(nothing)", "PER", 1, 1.0]]
    worst = block(sections, "Most errors: 2 of 3 sentences have errors")
    assert isinstance(worst, Examples)
    assert [example.where for example in worst.examples] == ["test.jsonl:1", "test.jsonl:2"]
    assert list(worst.examples[0].facts) == [("correct", 1), ("only in the data", 2), ("only predicted", 2)]
    marked = {
        name: [(span.text, span.kind, span.label) for span in spans if span.kind]
        for name, spans in worst.examples[0].passages
    }
    assert marked == {
        "data": [("Ann Lee", "gold", "PER"), ("Bo", "gold", "PER"), ("Rome", "right", "LOC")],
        "predicted": [("Ann", "found", "PER"), ("Bo", "found", "LOC"), ("Rome", "right", "LOC")],
    }
    for _, spans in worst.examples[0].passages:
        assert "".join(span.text for span in spans) == "Ann Lee met Bo in Rome "


def test_suspected_tags_are_surer_than_usual(make: Make) -> None:
    rows = [{"tokens": ["Ann", "sat"], "tags": ["B-PER", "O"]}, {"tokens": ["May", "it"], "tags": ["O", "B-PER"]}]
    predictions = [
        {"tokens": ["Ann", "sat"], "tags": ["B-PER", "O"], "scores": [0.8, 0.9]},
        {"tokens": ["May", "it"], "tags": ["B-PER", "O"], "scores": [0.85, 0.7]},
    ]
    section = token_classification.suspects([load(make(TAGS, rows, predictions, {}), "test")])
    examples = section.blocks[1]
    assert isinstance(examples, Examples)
    assert [list(one.facts) for one in examples.examples] == [
        [("tag", "O"), ("may be", "B-PER"), ("probability", 0.85)]
    ]
    assert [(span.text, span.kind) for span in examples.examples[0].passages[0][1]] == [
        ("", ""), ("May", "found"), (" it", ""),
    ]  # fmt: skip


def test_plain_tags(make: Make) -> None:
    task = TAGS | {"scheme": "none", "labels": ["NOUN", "VERB"], "metrics": ["tagging_accuracy"]}
    rows = [{"tokens": ["dogs", "run"], "tags": ["NOUN", "VERB"]}]
    predictions = [{"tokens": ["dogs", "run"], "tags": ["NOUN", "NOUN"], "scores": [0.9, 0.6]}]
    sections = list(token_classification.sentences(load(make(task, rows, predictions, {}), "test"), "none"))
    assert rows_of(sections, "Each tag, the lowest F1 first") == [
        ["VERB", 0.0, 0.0, 0.0, 1], ["NOUN", pytest.approx(2 / 3), 0.5, 1.0, 1],
    ]  # fmt: skip
    worst = block(sections, "Most errors: 1 of 1 sentences have errors")
    assert [span.label for _, spans in worst.examples[0].passages for span in spans if span.kind] == ["VERB", "NOUN"]


CONTEXT = "Ada lived in Paris and later in London for 20 years."


def question(text: str, answers: list[tuple[str, int]]) -> dict[str, Any]:
    texts, starts = [text for text, _ in answers], [start for _, start in answers]
    return {
        "question": text, "context": CONTEXT, "answers": {"text": texts, "answer_start": starts},
        "is_impossible": not answers,
    }  # fmt: skip


def answer(text: str, score: float, difference: float, best: str) -> dict[str, Any]:
    start = CONTEXT.find(text) if text else 0
    nbest = [{"text": best, "start": CONTEXT.find(best), "end": 0, "probability": score}]
    return {
        "answer": text, "start": start, "end": start + len(text), "score": score, "null_score_diff": difference,
        "nbest": nbest,
    }  # fmt: skip


@pytest.fixture
def questions(make: Make) -> list[ReportSection]:
    rows = [
        question("Where did Ada live first?", [("Paris", 13)]),
        question("How many years?", [("20 years", 43)]),
        question("Who is Bob?", []),
        question("Where then?", [("London", 32)]),
    ]
    predictions = [
        answer("Paris", 0.9, -2.0, "Paris"), answer("20", 0.8, -1.0, "20"), answer("Ada", 0.7, -0.5, "Ada"),
        answer("", 0.95, 3.0, "Paris"),
    ]  # fmt: skip
    return list(question_answering.questions(load(make(QA, rows, predictions, {"f1": 41.7}), "test")))


def test_answers_by_kind(questions: list[ReportSection]) -> None:
    table = rows_of(questions, "By length of the answer")
    assert [row[:3] for row in table] == [
        ["no answer", 1, 0.0], ["1 word", 2, 50.0], ["2 to 3 words", 1, pytest.approx(200 / 3)],
    ]  # fmt: skip
    assert [row[:3] for row in rows_of(questions, "By question word")] == [
        ["where", 2, 50.0], ["how many", 1, pytest.approx(200 / 3)], ["who", 1, 0.0],
    ]  # fmt: skip
    assert [row[0] for row in rows_of(questions, "By kind of answer")] == [
        "begins with a capital", "with digits", "no answer",
    ]  # fmt: skip


def test_wrong_answers_stand_in_their_contexts(questions: list[ReportSection]) -> None:
    partly = block(questions, "A different answer: 1 of 4")
    [example] = partly.examples
    assert list(example.facts) == [
        ("correct", "20 years"), ("predicted", "20"), ("probability", 0.8), ("F1", pytest.approx(2 / 3)),
    ]  # fmt: skip
    spans = dict(example.passages)["context"]
    assert [(span.text, span.kind) for span in spans if span.kind] == [("20", "right"), (" years", "gold")]
    assert "".join(span.text for span in spans) == CONTEXT
    refused = block(questions, "No answer predicted, although there is one: 1 of 4").examples[0]
    assert [span.text for span in dict(refused.passages)["context"] if span.kind == "gold"] == ["London"]
    given = block(questions, "An answer predicted, although there is none: 1 of 4").examples[0]
    assert [span.text for span in dict(given.passages)["context"] if span.kind == "found"] == ["Ada"]


def test_the_curve_of_the_threshold(make: Make) -> None:
    rows = [question("a?", [("Paris", 13)]), question("b?", []), question("c?", [("London", 32)])]
    predictions = [answer("Paris", 0.9, -2.0, "Paris"), answer("", 0.9, 1.0, "Ada"), answer("", 0.9, 2.0, "London")]
    measured = load(make(QA, rows, predictions, {}), "test")
    import numpy as np

    at, values = question_answering._by_threshold(measured, np.array([-2.0, 1.0, 2.0]), lambda a, b: float(a == b))
    assert at.tolist() == [-2.0, 1.0, 2.0]
    assert values.tolist() == pytest.approx([200 / 3, 100 / 3, 200 / 3])


def test_texts(make: Make) -> None:
    rows = [{"source": "ein Hund", "target": ["a dog"]}, {"source": "zwei", "target": ["two", "a couple"]}]
    predictions = [{"prediction": "a dog", "cut": False}, {"prediction": "", "cut": True}]
    task = TRANSLATION
    run = make(task, rows, predictions, {"bleu": 50.0}, decoding={"name": "greedy", "max_new_tokens": 5})
    sections = list(text2text.written(load(run, "test")))
    facts = sections[0].blocks[0]
    assert isinstance(facts, Facts)
    assert list(facts.pairs) == [
        ("cut at max_new_tokens", 1), ("empty texts", 1), ("copies of the source", 0), ("mean chrF", 50.0),
        ("median length ratio", 0.5),
    ]  # fmt: skip
    lowest = block(sections, "The lowest chrF").examples
    assert list(lowest[0].facts) == [("chrF", 0.0), ("cut", "at max_new_tokens")]
    assert [(name, spans[0].text) for name, spans in lowest[0].passages] == [
        ("source", "zwei"), ("reference", "two"), ("reference", "a couple"), ("prediction", "(empty)"),
    ]  # fmt: skip
    assert list(lowest[1].facts) == [("chrF", 100.0)]


def test_numbers(make: Make) -> None:
    rows = [{"text": "bad one", "score": 1.0}, {"text": "two", "score": 2.0}, {"text": "three", "score": 3.0}]
    predictions = [{"score": 2.5}, {"score": 2.0}, {"score": 2.5}]
    sections = list(text_classification.numbers(load(make(SIMILARITY, rows, predictions, {"mse": 0.83}), "test")))
    facts = sections[0].blocks[0]
    assert isinstance(facts, Facts)
    assert [(name, round(value, 4)) for name, value in facts.pairs] == [
        ("mean absolute error", 0.6667), ("mean error", 0.3333), ("standard deviation of the error", 0.8498),
    ]  # fmt: skip
    worst = block(sections, "The largest errors").examples
    assert [list(example.facts) for example in worst] == [
        [("label", 1.0), ("predicted", 2.5)], [("label", 3.0), ("predicted", 2.5)],
        [("label", 2.0), ("predicted", 2.0)],
    ]  # fmt: skip
    assert [span.text for span in worst[0].passages[0][1] if span.kind == "for"] == ["bad"]
