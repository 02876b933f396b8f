"""Read recipe files: YAML values with the line of each key, and `--set key=value` overrides.

Scalars are read by the YAML 1.2 core schema: `2e-5` is a number, `no` is a string, `2020-01-01` is a string.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.files import json_default
from hf_tasks.core.untrusted import LARGEST_YAML, FlatLoader, read_text

Key = tuple[str | int, ...]
Overrides = Sequence[str] | Mapping[str, Any]
"""`dotted.key=value` strings, or a dict of keys, dotted or nested."""
CHOICES = ("method", "decoding")
"""Sections whose keys depend on their name: a new name given by --set removes the file's other keys."""

_NO_BLANK = re.compile(r"\s*([A-Za-z_]\w*):([^\s/:][^:]*)")
"""A line `key:value` that is neither a URL nor `package:name` in a list."""

_CORE_SCHEMA = {
    "tag:yaml.org,2002:null": (r"null|Null|NULL|~|", "nN~\0"),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


class _Loader(FlatLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own class attribute)


for _tag, (_pattern, _first) in _CORE_SCHEMA.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), ["" if c == "\0" else c for c in _first])
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _integer(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _float(node.value))


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


@dataclass
class Source:
    """The raw values of a recipe and the line of each key."""

    name: str
    values: dict[str, Any]
    lines: dict[Key, int] = field(default_factory=dict)
    overrides: dict[Key, str] = field(default_factory=dict)

    def where(self, key: Key) -> str:
        """Return the location of a key or of the nearest section above it: `recipe.yaml:12`, or `--set a.b=1`."""
        for end in range(len(key), -1, -1):
            if key[:end] in self.overrides:
                return f"--set {self.overrides[key[:end]]}"
            if key[:end] in self.lines:
                return f"{self.name}:{self.lines[key[:end]]}"
            if end and (made := next((text for at, text in self.overrides.items() if at[:end] == key[:end]), None)):
                return f"--set {made}"  # the section exists only because of this override
        return self.name


def read(path: Path, overrides: tuple[str, ...] = ()) -> Source:
    """Read a recipe file and apply `dotted.key=value` overrides. Raises RecipeError with file and line."""
    try:
        text = read_text(path, LARGEST_YAML).removeprefix("\ufeff")
    except UnicodeDecodeError as e:
        raise RecipeError(f"{path}: not a UTF-8 text file (byte {e.start}); save it as UTF-8") from None
    except ValueError as e:
        raise RecipeError(f"{path}: {e}; a recipe is a short file") from None
    except OSError as e:
        raise RecipeError(f"{path}: cannot be read: {e.strerror}; give the path of a recipe file") from None
    source = parse(text, str(path))
    override(source, overrides)
    return source


def override_lines(overrides: Overrides) -> list[str]:
    """Convert overrides to `dotted.key=value` strings; keys of a dict can be nested or dotted."""
    if isinstance(overrides, str):
        example = '{"training.learning_rate": 3e-5}'
        raise RecipeError(f"overrides must be a dict, e.g. {example}; found the string {overrides!r}")
    if isinstance(overrides, Mapping):
        return [f"{key}={json.dumps(value, default=json_default)}" for key, value in _dotted(overrides)]
    return list(overrides)


def _dotted(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def override(source: Source, overrides: Sequence[str]) -> None:
    """Apply `dotted.key=value` overrides to the values of a source. Raises RecipeError."""
    problems = [problem for text in overrides if (problem := _override(source, text))]
    if problems:
        raise RecipeError(*problems)


def parse(text: str, name: str) -> Source:
    """Parse one YAML document, whose top level must be a mapping. Raises RecipeError."""
    lines: dict[Key, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _collect_lines(node, (), lines, name)
        values = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as e:
        line, trouble = _explained(text, e)
        raise RecipeError(f"{name}:{line}: {trouble}") from None
    except yaml.YAMLError as e:
        raise RecipeError(f"{name}: not valid YAML: {str(e).splitlines()[0]}; save it as plain UTF-8 text") from None
    except ValueError as e:
        raise RecipeError(f"{name}: not valid YAML: {e}; write the number, or put the text in quotes") from None
    except RecursionError:
        raise RecipeError(f"{name}: not valid YAML: nested too deeply; a recipe has a few levels") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{name}:1: a recipe has the keys name, task, data and model; write `key: value` lines")
    return Source(name, values, lines)


def _explained(text: str, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Return (line, message) for a YAML error."""
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    problem = str(error.problem)
    if problem.startswith("alias *"):
        return line, f"anchors and aliases ({problem.removeprefix('alias ')}) are not supported; write the value itself"
    if "could not find expected ':'" in problem or "mapping values are not allowed" in problem:
        first = error.context_mark.line + 1 if error.context_mark else line - 1
        for number in range(max(first, 1), line + 1):
            if match := _NO_BLANK.fullmatch(text.splitlines()[number - 1]):
                return number, f'a blank is missing after the colon; write "{match[1]}: {match[2]}"'
    if "character '\\t'" in problem:
        return line, "not valid YAML: the line is indented with a tab; use blanks"
    return line, f"not valid YAML: {problem}; correct this line"


def _collect_lines(node: yaml.Node, key: Key, lines: dict[Key, int], name: str) -> None:
    """Add the line of every key below `node` to `lines`. Raises RecipeError for a key that is written twice."""
    lines.setdefault(key, node.start_mark.line + 1)
    match node:
        case yaml.MappingNode():
            for key_node, value_node in node.value:
                _collect_line(key_node, key, lines, name)
                _collect_lines(value_node, (*key, key_node.value), lines, name)
        case yaml.SequenceNode():
            for i, item in enumerate(node.value):
                _collect_lines(item, (*key, i), lines, name)


def _collect_line(node: yaml.Node, section: Key, lines: dict[Key, int], name: str) -> None:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise RecipeError(f"{name}:{line}: a key must be one word; write a value in {{}} or [] after `key: `")
    key = (*section, node.value)
    if key in lines:
        dotted = ".".join(map(str, key))
        raise RecipeError(f"{name}:{line}: {dotted}: written twice (first on line {lines[key]}); keep one of them")
    lines[key] = line


def _override(source: Source, override: str) -> str | None:
    """Apply one override to `source.values`; returns an error message or None."""
    dotted, equals, text = override.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path):
        return f"--set {override}: does not have the form key=value; write e.g. --set training.learning_rate=3e-5"
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError):
        return f"--set {override}: the value {text!r} is not valid YAML; quote it"
    section = source.values
    for name in path[:-1]:
        if not isinstance(section.get(name), dict):
            section[name] = {}
        section = section[name]
    if path[1:] == ("name",) and path[0] in CHOICES and section.get("name") != value:
        for key in [key for key in section if (path[0], key) not in source.overrides]:
            del section[key]
    section[path[-1]] = value
    source.overrides[path] = override
    source.lines = {key: line for key, line in source.lines.items() if key[: len(path)] != path}
    return None


def read_with_decoding(path: Path, overrides: Sequence[str] = ()) -> Source:
    """Read a run's recipe and override decoding options (`decoding.num_beams=5`).

    A new `decoding.name` keeps only `max_new_tokens` of the old section. Raises RecipeError for keys outside of
    `decoding`.
    """
    before = read(path).values.get("decoding", {})
    source = read(path, tuple(overrides))
    for key, override in source.overrides.items():
        if key[0] != "decoding" or not before:
            what = "only keys of decoding can" if before else "this run generates no text, nothing can"
            raise RecipeError(f"--set {override}: {what} be changed after training; train again")
    section = source.values.get("decoding", {})
    if not before or not isinstance(section, dict):
        return source
    if section.get("name") != before.get("name"):
        given = {name for key in source.overrides for name in (key[1:2] or section)}
        section = {name: value for name, value in section.items() if name in given}
    source.values["decoding"] = {"max_new_tokens": before["max_new_tokens"]} | section
    return source
