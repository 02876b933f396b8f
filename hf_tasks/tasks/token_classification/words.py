"""The words of a row and their tags, in every form that files have: lists, texts, spans of characters."""

from bisect import bisect_left, bisect_right
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from hf_tasks.metrics.tag_schemes import Entity, tags_of
from hf_tasks.tasks.types import Example, RawRow

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

SplitText = Literal["words", "characters"]


def words_of(row: RawRow, by: SplitText) -> Example:
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
                    raise ValueError(f"word {i} is not a string but {token!r}; quote it")
            return {"tokens": tokens}
        case other:
            remedy = "" if _holds_tags(row) else ", or name the column with data.columns: {text: NAME}"
            raise ValueError(f"the words are not a list but {other!r}; write a list{remedy}")


def _holds_tags(row: RawRow) -> bool:
    """Whether a row has a tag for each word, and not spans of a text."""
    tags = row.get("tags")
    return isinstance(tags, list) and all(isinstance(tag, str | int) for tag in tags)


def tags_of_words(values: Any, words: Example, labels: tuple[str, ...]) -> list[str]:
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


def split(text: str, by: SplitText) -> Example:
    """The tokens of a text and their offsets, [first character, character after the last]. Blanks are in no token.

    >>> split("Ann's 中国", "words")
    {"tokens": ["Ann", "'", "s", "中", "国"], "offsets": [[0, 3], [3, 4], [4, 5], [6, 7], [7, 8]]}
    """
    if by == "characters":
        offsets = [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]
    else:
        offsets = [place for _, place in _splitter().pre_tokenize_str(text)]
    return {"tokens": [text[start:end] for start, end in offsets], "offsets": [list(place) for place in offsets]}


def tokens_of_tool(tokens: list[RawRow]) -> Example:
    """The tokens and offsets of an annotation tool that splits words by itself (Prodigy)."""
    try:
        return {"tokens": [t["text"] for t in tokens], "offsets": [[t["start"], t["end"]] for t in tokens]}
    except (KeyError, TypeError):
        raise ValueError("each token needs the keys text, start and end; write them, or plain words") from None


def entities_of(spans: list[Any], text: str, offsets: list[list[int]]) -> list[Entity]:
    """The words that spans of characters cover.

    Raises ValueError for spans that are invalid, overlap, or cut a word.
    """
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    found: list[Entity] = []
    previous = ""
    for start, end, kind in sorted(map(_span, spans)):
        quoted = f'span {start}-{end} "{text[start:end]}"'
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"span {start}-{end} is not inside the text of {len(text)} characters; correct its offsets"
            )
        first, after = bisect_right(ends, start), bisect_left(starts, end)
        if first >= after:
            raise ValueError(f"{quoted} covers no word; correct its offsets or remove it")
        for word, cut in ((first, starts[first] < start), (after - 1, ends[after - 1] > end)):
            if cut:
                whole = text[starts[word] : ends[word]]
                raise ValueError(f'{quoted} cuts the word "{whole}"; let it begin and end where words do')
        if found and first < found[-1].end:
            raise ValueError(f"{previous} and {quoted} overlap, and a word has one tag; keep one of them")
        found.append(Entity(first, after, kind))
        previous = quoted
    return found


def _span(value: Any) -> tuple[int, int, str]:
    """(start, end, label) as doccano, Prodigy, spaCy and Label Studio write it."""
    match value:
        case {"value": {"start": _} as inner}:
            return _span(inner)
        case [int(start), int(end), str(label)] if label:
            return start, end, label
        case {"start": int(start), "end": int(end), **rest} | {
            "start_offset": int(start),
            "end_offset": int(end),
            **rest,
        }:
            match rest:
                case {"label": str(label)} | {"labels": [str(label)]} if label:
                    return start, end, label
    raise ValueError(f"the span {value!r} is not [start, end, label] or {{start, end, label}}; correct it")


@cache
def _splitter() -> "PreTokenizer":
    """Runs of letters, digits and other signs between blanks; punctuation, symbols and ideographs are separate words,
    each with the marks that follow it."""
    from tokenizers import Regex, pre_tokenizers

    alone = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{P}\p{S}]\p{M}*"
    pieces = pre_tokenizers.Split(Regex(alone), "isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pieces])
