"""Is there a tag for every word, and in which column?"""

import re
from collections import Counter

from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.names import SPANS, TAGS, TEXTS, TOKENS, named
from hf_tasks.proposal.profile import Column

_TYPED = re.compile(r"O|[BIESLUM]-.+")
_PLACES = re.compile(r"[BMESI]")
_MOST_TAGS = 200


def tagging(columns: dict[str, Column]) -> Finding | None:
    """Words and their tags, or a text and spans of its characters."""
    lists = {name: column for name, column in columns.items() if column.kind in ("list", "numbers")}
    tokens = named(lists, TOKENS)
    spans = named({name: column for name, column in columns.items() if column.kind == "spans"}, SPANS)
    text = named(columns, TEXTS)
    if tokens:
        return _of_words(tokens, lists)
    if spans and text:
        reason = f'the column "{spans}" has spans of the characters of "{text}"'
        return Finding("token-classification", "named entities", reason, {"text": text, "spans": spans})
    return None


def _of_words(tokens: str, lists: dict[str, Column]) -> Finding | None:
    rivals = {name: tags for name, column in lists.items() if name != tokens and _like_tags(tags := _tags(column))}
    if not rivals:
        return None
    typed = [name for name, tags in rivals.items() if _share(tags, _TYPED) > 0.9]
    chosen = next((name for name in ("tags", *typed) if name in typed), None) or named(rivals, TAGS) or [*rivals][-1]
    tags = rivals[chosen]
    others = [name for name in rivals if name != chosen]
    alternatives: tuple[str, ...] = (
        (f"other columns of tags: {', '.join(others)}; columns: {{tags: NAME}}",) if others else ()
    )
    kind = "tags of words" if lists[chosen].kind == "numbers" else _kind(tags)
    keys = {}
    if lists[chosen].kind == "numbers":
        keys = {"labels": [str(number) for number in range(1 + max(map(int, tags)))]}
        alternatives += ("the tags are numbers: write their names here, in the order of the numbers",)
    reason = f'the column "{chosen}" has a tag for each word of "{tokens}", {len(tags)} different ones'
    columns: dict[str, str | tuple[str, ...]] = {"tokens": tokens, "tags": chosen}
    return Finding("token-classification", kind, reason, columns, keys, alternatives)


def _tags(column: Column) -> Counter[str]:
    return Counter(str(tag) for value in column.values if isinstance(value, list) for tag in value)


def _like_tags(tags: Counter[str]) -> bool:
    return 1 < len(tags) <= min(_MOST_TAGS, max(2, tags.total() / 2))


def _share(tags: Counter[str], pattern: re.Pattern[str]) -> float:
    return sum(count for tag, count in tags.items() if pattern.fullmatch(tag)) / tags.total()


def _kind(tags: Counter[str]) -> str:
    if all(map(_PLACES.fullmatch, tags)):
        return "word segmentation"
    return "named entities" if _share(tags, _TYPED) > 0.9 else "parts of speech, or other tags of words"
