"""What must not leave this machine: paths of its folders (secrets: see `redact.SECRETS`).

Only where paths are known to stand are they looked for: a label or a token of a vocabulary may well begin with "/".
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from hf_tasks.card import redact
from hf_tasks.core.untrusted import parse_json, parse_yaml

NO_PATHS = ("task", "decoding")
"""Sections of a recipe with texts that may look like paths."""
Values = dict[str, Any]


def short(value: str) -> str:
    """`.../` and the last part of an absolute path; any other text as it is."""
    return str(redact.public(value))


def without_paths(value: Any, under: str = "") -> Any:
    """Nested values with `short` texts, and `short` keys that stay apart; hidden where the key `under` which they are
    names a secret, as on the card."""
    match value:
        case str():
            return redact.public(value, under)
        case list():
            return [without_paths(item, under) for item in value]
        case dict():
            clean: dict[Any, Any] = {}
            for key, item in value.items():
                name = short(key) if isinstance(key, str) else key
                clean[name if name not in clean else f"{name} ({len(clean)})"] = without_paths(item, str(key))
            return clean
        case _:
            return value


def _recipe(values: Values, base: str) -> Values:
    clean = {name: part if name in NO_PATHS else without_paths(part) for name, part in values.items()}
    training = {key: value for key, value in (clean.get("training") or {}).items() if key not in redact.LOCAL}
    model = clean.get("model") or {}
    if model.get("name_or_path"):
        model["name_or_path"] = base or model["name_or_path"]
    return {name: training if name == "training" else part for name, part in clean.items()}


def _results(values: Values, base: str) -> Values:
    return {name: part if name in ("validation", "test") else without_paths(part) for name, part in values.items()}


def _environment(values: Values, base: str) -> Values:
    return without_paths(values) | {"recipe_folder": None}  # type: ignore[no-any-return]


def _config(values: Values, base: str) -> Values:
    return {
        key: short(value) if isinstance(value, str) and key.endswith(("name_or_path", "_file")) else value
        for key, value in values.items()
    }


def _adapter(values: Values, base: str) -> Values:
    """PEFT notes where it found the base checkpoint; others find it by the recipe's name."""
    return values | {"base_model_name_or_path": base}


CLEANERS: dict[str, Callable[[Values, str], Values]] = {
    "recipe.yaml": _recipe,
    "results.json": _results,
    "environment.json": _environment,
    "config.json": _config,
    "adapter_config.json": _adapter,
    "tokenizer_config.json": _config,
}
"""What is done to the values of a file; `base`: the recipe's name of the checkpoint that training started from."""


def cleaned(name: str, content: bytes, base: str) -> bytes:
    """A file of CLEANERS without paths of this machine; the same bytes where there are none. ValueError where the file
    is broken."""
    is_yaml = name.endswith(".yaml")
    values = _parsed(content, is_yaml)
    clean = CLEANERS[name](values, base)
    if clean == values:
        return content
    if is_yaml:
        return yaml.safe_dump(clean, sort_keys=False, allow_unicode=True, width=120).encode()
    return (json.dumps(clean, ensure_ascii=False, indent=1) + "\n").encode()


def paths_in(name: str, content: bytes) -> set[str]:
    """The absolute paths that `cleaned` shortens or removes in a file of CLEANERS."""
    before = _parsed(content, name.endswith(".yaml"))
    gone = set(_texts(before)) - set(_texts(CLEANERS[name](before, "")))
    return {text for text in gone if short(text) != text}


def shortened(content: bytes, paths: Iterable[str]) -> bytes:
    """A text, the card, with each of these absolute paths shortened."""
    for path in sorted(paths, key=len, reverse=True):
        content = content.replace(path.encode(), short(path).encode())
    return content


def _parsed(content: bytes, is_yaml: bool) -> Values:
    values = parse_yaml(content) if is_yaml else parse_json(content)
    if not isinstance(values, dict):
        raise ValueError("not a section of keys and values")
    return values


def _texts(value: Any) -> Iterable[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for key, item in value.items():
                yield from _texts(key)
                yield from _texts(item)
