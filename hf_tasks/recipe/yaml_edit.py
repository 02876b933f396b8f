"""Change values of a YAML file and keep all other lines, with their comments, unchanged."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import yaml_file
from hf_tasks.recipe.search_space import shown

Change = tuple[int, int, str]
"""(start, end, replacement) in characters."""


def edited(text: str, values: Mapping[str, Any]) -> str:
    """Return the text of a YAML mapping with these values; the comment after a changed value is removed.

    Unusual YAML can be changed wrongly: parse the result and compare.
    """
    node, now = yaml.compose(text, yaml.SafeLoader), yaml_file.parse(text, "recipe").values
    assert isinstance(node, yaml.MappingNode)
    text += "" if text.endswith("\n") else "\n"
    for start, end, new in sorted(_changes(text, node, now, values), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _changes(text: str, node: yaml.MappingNode, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the changes of a mapping with one key per line."""
    last = node.start_mark.index
    for key, value in node.value:
        after, last = _line_after(text, _end(value)), max(last, _end(value))
        old, new = now[key.value], then.get(key.value)
        if key.value not in then:
            yield text.rfind("\n", 0, key.start_mark.index) + 1, after, ""
        elif old != new and isinstance(value, yaml.MappingNode) and not value.flow_style and new:
            yield from _changes(text, value, old, new)
        elif old != new:
            yield key.end_mark.index, after, f": {_flow(new)}\n"
    indent = " " * node.start_mark.column
    added = [f"{indent}{key}: {_flow(value)}\n" for key, value in then.items() if key not in now]
    if added:
        yield _line_after(text, last), _line_after(text, last), "".join(added)


def _end(node: yaml.Node) -> int:
    """Return the end of a value, without the blank lines and comments after it."""
    match node:
        case yaml.MappingNode() if node.value and not node.flow_style:
            return _end(node.value[-1][1])
        case yaml.SequenceNode() if node.value and not node.flow_style:
            return _end(node.value[-1])
        case yaml.ScalarNode(style="|" | ">"):
            return int(node.end_mark.index) - 1
        case _:
            return int(node.end_mark.index)


def _line_after(text: str, index: int) -> int:
    return text.find("\n", index) + 1 or len(text)


def _flow(value: Any) -> str:
    match value:
        case float():
            return shown(value)
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(below)}" for key, below in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str() if value.isprintable() and _reads_as_itself(value):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _reads_as_itself(word: str) -> bool:
    """Whether a word needs no quotes, also not in a list."""
    try:
        return yaml_file.parse(f"values: [{word}]", "values").values == {"values": [word]}
    except RecipeError:
        return False
