"""SQuAD's nested JSON: articles, their paragraphs, the questions of each (Rajpurkar et al. 2016 and 2018).

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [
        {"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": 177}], "is_impossible": false}]}]}]}

Other keys, such as title and plausible_answers, are not read.
"""

from typing import Any

from hf_tasks.data.tables import QuestionNumber, Rows

COLUMNS = ("id", "question", "answers", "is_impossible")


def rows(document: dict[str, Any]) -> Rows:
    """Each question with its number, counted from 1: a row of its columns and the paragraph's context. In the place of
    an article, paragraph or question with another nesting, a ValueError."""
    number = 0
    for i, article in enumerate(document["data"]):
        try:
            paragraphs = _inner(article, "paragraphs", list, f"data[{i}]")
        except ValueError as e:
            yield QuestionNumber(number + 1), e
            continue
        for j, paragraph in enumerate(paragraphs):
            where = f"data[{i}].paragraphs[{j}]"
            try:
                context = _inner(paragraph, "context", str, where)
                questions = _inner(paragraph, "qas", list, where)
            except ValueError as e:
                yield QuestionNumber(number + 1), e
                continue
            for k, question in enumerate(questions):
                number += 1
                yield QuestionNumber(number), _row(question, context, f"{where}.qas[{k}]")


def _row(question: Any, context: str, where: str) -> dict[str, Any] | ValueError:
    try:
        _inner(question, "question", str, where)
    except ValueError as e:
        return e
    return {column: question[column] for column in COLUMNS if column in question} | {"context": context}


def _inner(parent: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(parent, dict):
        raise ValueError(f'{where}: an object with "{key}" was expected, found {parent!r}')
    if key not in parent:
        raise ValueError(f'{where}: has no "{key}"; add it, as SQuAD\'s files have it')
    if not isinstance(parent[key], kind):
        raise ValueError(f'{where}: "{key}" is not {"a string" if kind is str else "a list"} but {parent[key]!r}')
    return parent[key]
