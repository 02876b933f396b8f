"""Convert pydantic's errors to messages about keys of a recipe."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.section import Section, did_you_mean
from hf_tasks.recipe import key_hints, yaml_file
from hf_tasks.recipe.yaml_file import Key

S = TypeVar("S", bound=Section)

_KEY = re.compile(r"([a-z_]+(?:\.[\w-]+)*): ")
_NO_BLANK = re.compile(r"([A-Za-z_]\w*):(\S+)")


@contextmanager
def located(path: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Context manager that adds the file and line of the key to errors about a key (`training.fp16: ...`)."""
    try:
        yield
    except (RecipeError, RunError) as e:
        source = yaml_file.read(path, tuple(overrides))
        e.problems = [_located(source, problem) for problem in e.problems]
        e.args = ("\n".join(e.problems),)
        raise


def _located(source: yaml_file.Source, problem: str) -> str:
    match = _KEY.match(problem)
    key: Key = tuple(match[1].split(".")) if match else ()
    written = match and (key[:1] in source.lines or any(made[:1] == key[:1] for made in source.overrides))
    return f"{source.where(key)}: {problem}" if written else problem


def parsed(section: type[S], values: Any) -> tuple[S | None, list[Any]]:
    """Return (the section, or None if there are errors; pydantic's errors)."""
    try:
        return section.model_validate_json(json.dumps(values, default=str), strict=True), []
    except ValidationError as e:
        return None, e.errors(include_url=False)


def problems_of(root: type[Section], values: Any, errors: Sequence[Any]) -> Iterator[tuple[Key, str]]:
    """Convert pydantic's errors to (key, message), one message per key, none if a key below it has one."""
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
    """Convert one pydantic error to (key, message)."""
    key = written_key(values, error)
    match error["type"]:
        case "missing":
            return key, "missing; this key has no default, add it"
        case "extra_forbidden":
            return key, f"unknown key{key_hints.hint(root, values, key)}"
        case "union_tag_invalid":
            names, tag = [n.strip("' ") for n in error["ctx"]["expected_tags"].split(",")], error["ctx"]["tag"]
            return (*key, "name"), f'there is no "{tag}"{did_you_mean(tag, names)} (one of: {", ".join(names)})'
        case "union_tag_not_found":
            return (*key, "name"), _missing_name(root, key, error["input"])
        case "value_error":
            return key, str(error["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "dict_type":
            found = error["input"]
            if isinstance(found, str) and (match := _NO_BLANK.fullmatch(found)):
                return key, f'a blank is missing after the colon; write "{match[1]}: {match[2]}"'
            if isinstance(found, str) and found in key_hints.named_sections(root, key):
                return key, f"must be a section; write {key[-1]}: {{name: {found}}}"
            return key, f"must be a section, with its keys indented below it{_found(found)}"
        case "tuple_type" | "list_type":
            return key, f"must be a list{_found(error['input'])}"
        case "string_type" if isinstance(error["input"], int | float):
            remedy = f', write "{json.dumps(error["input"])}" in quotes'
            return key, f"{_lower(error['msg'])}{_found(error['input'])}{remedy}"
        case _:
            return key, f"{_lower(error['msg'])}{_found(error['input'])}"


def _missing_name(root: type[Section], key: Key, values: Any) -> str:
    """Return the message for a missing `name`: the names whose sections have all given keys, or all names."""
    sections = key_hints.named_sections(root, key)
    given = {key_hints.ELSEWHERE.get(name, name) for name in values} if isinstance(values, dict) else set()
    suited = [name for name, section in sections.items() if given and given <= section.model_fields.keys()]
    if 0 < len(suited) <= 3:
        return f"missing; did you mean name: {' or '.join(suited)}?"
    return f"missing; add it (one of: {', '.join(sections)})" if len(sections) <= 20 else "missing; add it"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _found(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"; found {'nothing' if value is None else text if len(text) <= 80 else text[:77] + '...'}"


def written_key(values: Any, error: Any) -> Key:
    """Return the key of an error: its `loc` without the names of types that pydantic inserts."""
    key: list[str | int] = []
    for step in error["loc"]:
        if (isinstance(values, dict) and step in values) or (isinstance(values, list) and isinstance(step, int)):
            values = values[step]
            key.append(step)
    return (*key, error["loc"][-1]) if error["type"] == "missing" else tuple(key)
