"""The words of a row and their tags, in every form in which files have them."""

from typing import Any

from hf_tasks.tags import tags_of
from hf_tasks.tasks.examples import Row
from hf_tasks.tasks.words import SplitText, entities_of, split, tokens_of_tool


def words_of(row: Row, by: SplitText) -> Row:
    """The words of a row: tokens; for a text, also the text and the (start, end) of each word in it.

    Raises ValueError, as all functions here: what is wrong, what to do.
    """
    match row.get("tokens", row.get("text")):
        case None:
            raise ValueError("the words are missing; write them or remove the row")
        case str() as text if "tokens" not in row:
            return {"text": text} | split(text, by)
        case [dict(), *_] as tokens:
            return {"text": row.get("text")} | tokens_of_tool(tokens)
        case list() as tokens:
            for i, token in enumerate(tokens, 1):
                if not isinstance(token, str):
                    raise ValueError(f"word {i} is not text but {token!r}; quote it")
            return {"tokens": tokens}
        case other:
            raise ValueError(f'the words are not a list but {other!r}; write a list, or call the column "text"')


def tags_of_words(values: Any, words: Row, labels: tuple[str, ...]) -> list[str]:
    """The tag of each word, from tags, which may be places in `labels`, or from spans of characters."""
    if not isinstance(values, list):
        found = "missing" if values is None else f"not a list but {values!r}"
        raise ValueError(f"the tags are {found}; write a list with one tag for each word")
    tokens = words["tokens"]
    if "text" in words:
        return tags_of(entities_of(values, words["text"], words["offsets"]), len(tokens))
    if values and not isinstance(values[0], str | int | None):
        raise ValueError('spans of characters need the column "text" that they count in; give it instead of words')
    if len(values) != len(tokens):
        raise ValueError(f"{len(tokens)} words but {len(values)} tags; write one tag for each word")
    return [_tag(value, token, labels) for value, token in zip(values, tokens, strict=True)]


def _tag(value: Any, token: str, labels: tuple[str, ...]) -> str:
    match value:
        case str() if value:
            return value
        case int() if 0 <= value < len(labels):
            return labels[value]
        case int():
            remedy = "give the names of all tags, in the order of their numbers, as task.labels"
            raise ValueError(f'the tag of "{token}" is the number {value}, which has no name; {remedy}')
        case _:
            raise ValueError(f'the tag of "{token}" is missing; write it')
