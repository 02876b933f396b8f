import json

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data import read_file
from hf_tasks.data.readers.json_rows import squad_rows
from hf_tasks.tasks import QuestionAnswering

TASK = QuestionAnswering(name="question-answering")
BORN = {"id": "a1", "question": "Who?", "answers": [{"text": "John", "answer_start": 0}]}
NONE = {
    "id": "a2", "question": "Why?", "answers": [], "is_impossible": True,
    "plausible_answers": [{"text": "Paris", "answer_start": 12}],
}  # fmt: skip


def document(*paragraphs, **more):
    return {"version": "v2.0", "data": [{"title": "John", "paragraphs": list(paragraphs)}]} | more


def paragraph(*questions, context="John was in Paris"):
    return {"context": context, "qas": list(questions)}


def test_rows_are_numbered_across_paragraphs_and_articles():
    nested = document(paragraph(BORN, NONE), paragraph(BORN | {"id": "b1"}, context="John again"))
    nested["data"] += document(paragraph(BORN | {"id": "c1"}))["data"]
    assert list(squad_rows(nested)) == [
        (1, BORN | {"context": "John was in Paris"}),
        (
            2,
            {"id": "a2", "question": "Why?", "answers": [], "is_impossible": True, "context": "John was in Paris"},
        ),
        (3, BORN | {"id": "b1", "context": "John again"}),
        (4, BORN | {"id": "c1", "context": "John was in Paris"}),
    ]


@pytest.mark.parametrize(
    "nested, message",
    [
        ({"data": [{"title": "x"}]}, 'data[0]: has no "paragraphs"; add it, as SQuAD\'s files have it'),
        ({"data": [[]]}, 'data[0]: an object with "paragraphs" was expected, found []'),
        (
            document({"qas": []}),
            'data[0].paragraphs[0]: has no "context"; add it, as SQuAD\'s files have it',
        ),
        (document(paragraph(), {"context": 3, "qas": []}), 'data[0].paragraphs[1]: "context" is not a string but 3'),
        (document({"context": "c", "qas": {}}), 'data[0].paragraphs[0]: "qas" is not a list but {}'),
        (
            document(paragraph(BORN, {"id": "x"})),
            'data[0].paragraphs[0].qas[1]: has no "question"; add it, as SQuAD\'s files have it',
        ),
    ],
)
def test_other_nestings(nested, message):
    wrong = [str(row) for _, row in squad_rows(nested) if isinstance(row, ValueError)]
    assert wrong == [message]


def test_reading_a_file(tmp_path):
    file = tmp_path / "dev-v2.0.json"
    file.write_text(json.dumps(document(paragraph(BORN | {"is_impossible": False}, NONE))))
    split = read_file(str(file), TASK)
    assert split.examples[:] == {
        "id": ["a1", "a2"],
        "question": ["Who?", "Why?"],
        "context": ["John was in Paris"] * 2,
        "answers": [{"text": ["John"], "answer_start": [0]}, {"text": [], "answer_start": []}],
    }
    assert split.where(1) == f"{file}: question 2"


def test_reading_questions_alone(tmp_path):
    file = tmp_path / "test.json"
    file.write_text(json.dumps(document(paragraph({"id": "a1", "question": "Who?"}))))
    assert read_file(str(file), TASK, labelled=False).examples[:] == {
        "id": ["a1"], "question": ["Who?"], "context": ["John was in Paris"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "name, text",
    [
        (
            "flat.jsonl",
            '{"question": "Who?", "context": "It is John", "answers": [{"text": "John", "answer_start": 6}]}',
        ),
        (
            "flat.json",
            '[{"query": "Who?", "passage": "It is John", "answers": {"text": ["John"], "answer_start": [6]}}]',
        ),
        ("flat.csv", "question,context,answer_text,answer_start\nWho?,It is John,John,6\n"),
        ("alias.csv", "question,context,answer,answer_start\nWho?,It is John,John,6\n"),
        ("quoted.csv", 'question,context,answers\nWho?,It is John,"{""text"": [""John""], ""answer_start"": [6]}"\n'),
    ],
)  # fmt: skip
def test_flat_files(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)
    assert read_file(str(file), TASK).examples[:] == {
        "question": ["Who?"], "context": ["It is John"], "answers": [{"text": ["John"], "answer_start": [6]}],
    }  # fmt: skip


def test_flat_files_with_questions_without_answer(tmp_path):
    file = tmp_path / "flat.csv"
    header = "id,question,context,answer_text,answer_start"
    file.write_text(f"{header},is_impossible\n1,Who?,It is John,John,6,0\n2,Why?,It is John,,,1\n")
    assert read_file(str(file), TASK).examples["answers"][:] == [
        {"text": ["John"], "answer_start": [6]}, {"text": [], "answer_start": []},
    ]  # fmt: skip
    file.write_text(f"{header}\n1,Who?,It is John,John,6\n2,Why?,It is John,,\n")
    with pytest.raises(DataError) as error:
        read_file(str(file), TASK)
    assert error.value.problems[0] == (
        f"{file}:3: the answer is empty; write it, or mark a question without answer with is_impossible: true, or all "
        "of them with task.version_2_with_negative: true"
    )


def test_parquet(tmp_path):
    from datasets import Dataset

    answers = {"text": ["John", "It is John"], "answer_start": [6, 0]}
    for value in (answers, [{"text": t, "answer_start": s} for t, s in zip(*answers.values(), strict=True)]):
        row = {"id": "a", "title": "x", "question": "Who?", "context": "It is John", "answers": value}
        Dataset.from_list([row]).to_parquet(tmp_path / "flat.parquet")
        assert read_file(str(tmp_path / "flat.parquet"), TASK).examples["answers"][:] == [answers]
