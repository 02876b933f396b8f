"""SQuAD's nested JSON: articles, their paragraphs, the questions of each (Rajpurkar et al. 2016 and 2018).

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [
        {"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": 177}], "is_impossible": false}]}]}]}

Other keys, such as title and plausible_answers, are not read.
"""

from collections.abc import Iterator
from typing import Any

from hf_tasks.errors import DataError
from hf_tasks.tasks.examples import Row

COLUMNS = ("id", "question", "answers", "is_impossible")


def rows(document: dict[str, Any], name: str) -> Iterator[tuple[int, Row]]:
    """Each question with its number, counted from 1: a row of its columns and the paragraph's context.

    Raises DataError where the nesting is another one.
    """
    number = 0
    for i, article in enumerate(document["data"]):
        for j, paragraph in enumerate(_part(article, "paragraphs", list, f"{name}: data[{i}]")):
            where = f"{name}: data[{i}].paragraphs[{j}]"
            context = _part(paragraph, "context", str, where)
            for k, question in enumerate(_part(paragraph, "qas", list, where)):
                _part(question, "question", str, f"{where}.qas[{k}]")
                number += 1
                row = {column: question[column] for column in COLUMNS if column in question}
                yield number, row | {"context": context}


def _part(parent: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(parent, dict):
        raise DataError(f'{where}: an object with "{key}" was expected, found {parent!r}')
    if key not in parent:
        raise DataError(f'{where}: has no "{key}"; add it, as SQuAD\'s files have it')
    if not isinstance(parent[key], kind):
        raise DataError(f'{where}: "{key}" is not {"text" if kind is str else "a list"} but {parent[key]!r}')
    return parent[key]
