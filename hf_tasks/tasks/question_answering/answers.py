"""Answers of a question: the forms in which files have them, and checks of their offsets.

    {"text": ["Denver Broncos", "The Broncos"], "answer_start": [177, 173]}     canonical
    {"text": [], "answer_start": []}, is_impossible: true                       no answer
    [{"text": "Denver Broncos", "answer_start": 177}]                           SQuAD's own files
    answer_text: Denver Broncos, answer_start: 177                              two columns of a table

Offsets count characters (Unicode code points) from 0.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks.types import Issue, RawRow, values

if TYPE_CHECKING:
    from datasets import Dataset

FORM = 'write {"text": [...], "answer_start": [...]}'
EMPTY = (
    "the answer is empty; write it, or mark a question without answer with is_impossible: true, or all of them with "
    "task.version_2_with_negative: true"
)
NEAR = 2
"""Characters by which an offset may be off before it counts as that of another place."""
SHOWN = 40


def read_answers(row: RawRow, *, unmarked: bool = False) -> dict[str, list[Any]]:
    """The answers of a row in the canonical form. Raises ValueError: what is wrong, what to do.

    A question without answer has `is_impossible: true`; with `unmarked`, empty answers say it where there is no flag.
    """
    impossible = _flag(row.get("is_impossible"))
    flat = {"text": row.get("answer_text"), "answer_start": row.get("answer_start")}
    value = row.get("answers", flat)
    answers = _pairs([] if impossible and value is None else value)
    texts = [text for text, _ in answers if text not in (None, "")]
    if impossible and texts:
        raise ValueError(f"is_impossible is true, yet there is an answer {quoted(texts[0])}; remove one of them")
    if impossible or (impossible is None and unmarked and not texts):
        return {"text": [], "answer_start": []}
    if not texts or len(texts) < len(answers):
        raise ValueError(EMPTY)
    return {"text": [_text(text) for text, _ in answers], "answer_start": [_offset(start) for _, start in answers]}


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    match value:
        case None:
            raise ValueError(f"the answers are missing; {FORM}, with empty lists for a question without answer")
        case str():
            try:
                return _pairs(json.loads(value) if value.strip() else None)
            except json.JSONDecodeError:
                raise ValueError(f"the answers {quoted(value)} are not JSON; {FORM}") from None
        case {"text": [*texts], "answer_start": [*starts]}:
            if len(texts) != len(starts):
                raise ValueError(f"there are {len(texts)} answer texts, but {len(starts)} offsets; give each its own")
            return list(zip(texts, starts, strict=True))
        case {"text": text, "answer_start": start}:
            return [(text, start)]
        case [*items] if all(isinstance(item, dict) and {"text", "answer_start"} <= item.keys() for item in items):
            return [(item["text"], item["answer_start"]) for item in items]
        case _:
            raise ValueError(f"the answers are not in a known form ({quoted(str(value))}); {FORM}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the answer is not a string but {value!r}; quote it")
    return value


def _offset(value: Any) -> int:
    try:
        offset = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ValueError:
        offset = None
    if isinstance(value, float) and value.is_integer():
        offset = int(value)
    if offset is None:
        raise ValueError(f"answer_start is {value!r}; give the place of the answer's first character, counted from 0")
    return offset


def _flag(value: Any) -> bool | None:
    """None: the row does not say."""
    if value is None or str(value).strip() == "":
        return None
    flag = {"0": False, "false": False, "1": True, "true": True}.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f"is_impossible must be true or false, found {value!r}")
    return flag


def misplaced(context: str, text: str, start: int) -> str | None:
    """What is wrong with an answer's offset and how to correct it; None where the context has the text there."""
    if start >= 0 and context.startswith(text, start):
        return None
    if start < 0:
        there = "no context has that"
    elif start >= len(context):
        there = f"the context has {len(context)}"
    else:
        there = f"found {quoted(context[start : start + len(text)])}"
    return f"answer {quoted(text)} is not at character {start} ({there}); {_remedy(context, text, start)}"


def cuts_a_word(context: str, text: str, start: int) -> bool:
    """Whether an answer at `start` begins or ends between two letters, or two digits, of one word."""
    end = start + len(text)
    return _joined(context[max(start - 1, 0) : start + 1]) or _joined(context[end - 1 : end + 1])


def odd_answers(examples: "Dataset") -> Iterator[Issue]:
    """Answers with blanks around them, and those that cut a word."""
    blank, cut = [], []
    for row, (context, answers) in enumerate(values(examples, "context", "answers")):
        found = list(zip(answers["text"], answers["answer_start"], strict=True))
        if any(text != text.strip() for text, _ in found):
            blank.append(row)
        if any(cuts_a_word(context, text, start) for text, start in found):
            cut.append(row)
    if blank:
        yield Issue("oddity", "questions with blanks around an answer", "remove them", rows=blank)
    if cut:
        inside = "questions with an answer that begins or ends inside a word"
        yield Issue("oddity", inside, "let it begin and end where words do", rows=cut)


def _joined(two: str) -> bool:
    """Whether two neighbouring characters belong to one word, in scripts that have blanks and capitals."""
    return len(two) == 2 and (two.isdecimal() or all(sign.isalpha() and sign.lower() != sign.upper() for sign in two))


def _remedy(context: str, text: str, start: int) -> str:
    for unit, encoding, width in (("UTF-8 bytes", "utf-8", 1), ("UTF-16 units", "utf-16-le", 2)):
        place = _decoded(context.encode(encoding)[: max(start, 0) * width], encoding)
        if place is not None and place != start and context.startswith(text, place):
            return f"{start} counts {unit}; write answer_start {place}"
    if (place := nearest(context.find, context.rfind, text, start)) >= 0:
        off = f"it is off by {abs(place - start)}" if abs(place - start) <= NEAR else f"it is at {place}"
        return f"{off}; write answer_start {place}"
    bare = text.strip()
    if bare != text and (place := nearest(context.find, context.rfind, bare, start)) >= 0:
        return f"without the blanks around it, it is at {place}; write the bare text and answer_start {place}"
    low, bare = context.lower(), text.lower()
    if len(low) == len(context) and (place := nearest(low.find, low.rfind, bare, start)) >= 0:
        return f"the context has {quoted(context[place : place + len(text)])} at {place}; write it like that"
    return "it is nowhere in the context; correct or remove it"


def _decoded(prefix: bytes, encoding: str) -> int | None:
    """The characters in the first bytes of a text, or None where they end inside a character."""
    try:
        return len(prefix.decode(encoding))
    except UnicodeDecodeError:
        return None


def nearest(find: Callable[..., int], rfind: Callable[..., int], text: str, start: int) -> int:
    """The occurrence of `text` that begins nearest to `start`, or -1."""
    start = max(start, 0)
    after, before = find(text, start), rfind(text, 0, start + len(text))
    if after < 0 or before < 0:
        return max(after, before)
    return before if start - before <= after - start else after


def quoted(text: str) -> str:
    return f'"{text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."}"'
