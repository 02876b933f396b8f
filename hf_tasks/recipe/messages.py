"""What pydantic finds wrong with a recipe, by the keys and in the words of a recipe."""

import json
import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from hf_tasks.core.section import Section, did_you_mean
from hf_tasks.recipe.yaml_file import Key

B = TypeVar("B", bound=Section)


def parsed(block: type[B], values: Any) -> tuple[B | None, list[Any]]:
    """(the block, or None where there are errors; pydantic's errors)."""
    try:
        return block.model_validate_json(json.dumps(values, default=str), strict=True), []
    except ValidationError as e:
        return None, e.errors(include_url=False)


def problems_of(root: type[Section], values: Any, errors: Sequence[Any]) -> Iterator[tuple[Key, str]]:
    """Pydantic's errors as problems (key, what is wrong; what to do) of values for a `root`: one for all types that a
    key may have, none where a key below it has one."""
    texts: dict[Key, list[str]] = {}
    for error in errors:
        key, text = _problem(root, values, error)
        texts.setdefault(key, []).append(text)
    above = {key[:end] for key in texts for end in range(len(key))}
    for key, several in texts.items():
        if key in above:
            continue
        wrong = [text.partition("; found ") for text in several]
        yield key, " or ".join(dict.fromkeys(text for text, *_ in wrong)) + "".join(wrong[0][1:])


def _problem(root: type[Section], values: Any, error: Any) -> tuple[Key, str]:
    """One pydantic error as (key, what is wrong; what to do)."""
    key = written_key(values, error)
    match error["type"]:
        case "missing":
            return key, "missing; this key has no default, add it"
        case "extra_forbidden":
            return key, f"unknown key{did_you_mean(str(key[-1]), _fields_at(root, values, key[:-1])) or '; remove it'}"
        case "union_tag_invalid":
            names, tag = [n.strip("' ") for n in error["ctx"]["expected_tags"].split(",")], error["ctx"]["tag"]
            return (*key, "name"), f'there is no "{tag}"{did_you_mean(tag, names)} (one of: {", ".join(names)})'
        case "union_tag_not_found":
            return (*key, "name"), "missing; this key has no default, add it"
        case "value_error":
            return key, str(error["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "dict_type":
            return key, f"must be a section, with its keys indented below it{_found(error['input'])}"
        case "tuple_type" | "list_type":
            return key, f"must be a list{_found(error['input'])}"
        case "string_type" if isinstance(error["input"], int | float):
            remedy = f', write "{json.dumps(error["input"])}" in quotes'
            return key, f"{_lower(error['msg'])}{_found(error['input'])}{remedy}"
        case _:
            return key, f"{_lower(error['msg'])}{_found(error['input'])}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _found(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"; found {'nothing' if value is None else text if len(text) <= 80 else text[:77] + '...'}"


def written_key(values: Any, error: Any) -> Key:
    """The key that an error is about: its `loc` without the names of types that pydantic puts between."""
    key: list[str | int] = []
    for split in error["loc"]:
        if (isinstance(values, dict) and split in values) or (isinstance(values, list) and isinstance(split, int)):
            values = values[split]
            key.append(split)
    return (*key, error["loc"][-1]) if error["type"] == "missing" else tuple(key)


def _fields_at(root: type[Section], values: Any, key: Key) -> list[str]:
    """The keys that the section at `key` may have."""
    blocks: list[Any] = [root]
    for split in key:
        values = values.get(split) if isinstance(values, dict) else None
        blocks = [b for block in blocks if split in block.model_fields for b in _blocks(block.model_fields[str(split)])]
    name = values.get("name") if isinstance(values, dict) else None
    named = [b for b in blocks if "name" in b.model_fields and name in get_args(b.model_fields["name"].annotation)]
    return [field for block in named or blocks for field in block.model_fields]


def _blocks(field: Any) -> list[type[Section]]:
    """The Block classes that a field may hold."""
    todo, found = [field.annotation], []
    while todo:
        kind = todo.pop()
        if get_origin(kind) in (Union, types.UnionType):
            todo.extend(get_args(kind))
        elif get_origin(kind) is Annotated:
            todo.append(get_args(kind)[0])
        elif isinstance(kind, type) and issubclass(kind, Section):
            found.append(kind)
    return found
