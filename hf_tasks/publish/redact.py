"""Removes secrets and local paths from recipes, cards, results and uploaded files.

Paths are removed only from values that can be paths: a label or a token of a vocabulary may begin with "/".
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml

from hf_tasks.core.untrusted import parse_json, parse_yaml
from hf_tasks.recipe import Recipe

SECRETS: dict[str, str] = {
    "a Hugging Face token": r"\b(?:hf_(?:oauth_)?|api_org_)[A-Za-z0-9]{20,}",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?i:aws_secret_access_key)\W{1,5}[A-Za-z0-9/+]{40}",
    "an API key": r"\bsk-(?:[A-Za-z0-9]{20,}|(?:proj|svcacct|admin|or|ant)-[\w-]{20,})",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
    "a GitLab token": r"\bglpat-[\w-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}",
    "a Google API key": r"\bAIza[\w-]{35}",
    "a Weights & Biases key": r"\bwandb_v\d_\w{20,}|(?i:wandb(?:_api)?_?key)\W{1,5}[0-9a-f]{40}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in a URL": r"""(?<=://)[^/\s:@"'<>,]*:[^/\s@"'<>]+(?=@)""",
}
"""Kind -> pattern of the secrets of well-known services, for recipes, cards, messages and uploaded files."""
ANY_SECRET = re.compile("|".join(SECRETS.values()))
SECRET_KEY = re.compile(r"(^|_)(token|secret|password|passwd|credentials?|api_?key)$", re.IGNORECASE)
PATH = re.compile(r"(file://)?(~|/[^/\s]+|[A-Za-z]:|\\\\)[\\/]\S.*")
LOCAL = ("output_dir",)
"""Keys of `training` that are local paths."""
HIDDEN = "***"


def redacted(text: str) -> str:
    """The text with every secret replaced by ***."""
    return ANY_SECRET.sub(HIDDEN, text)


def secrets_in(text: str) -> Iterator[tuple[int, str]]:
    """(line, counted from 1; kind) of each secret in a text."""
    for found in ANY_SECRET.finditer(text):
        kind = next(name for name, pattern in SECRETS.items() if re.match(pattern, found[0]) or "URL" in name)
        yield text.count("\n", 0, found.start()) + 1, kind


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, every given key, without secrets and local folders."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True))
    training = values.get("training", {})
    values["training"] = {key: value for key, value in training.items() if key not in LOCAL}
    shown = {key: value for key, value in public(values).items() if value != {}}
    return redacted(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120))


def public(value: Any, key: str = "") -> Any:
    """Plain values without secrets; absolute paths are shortened to their last part."""
    match value:
        case dict():
            return {name: public(item, str(name)) for name, item in value.items()}
        case list():
            return [public(item, key) for item in value]
        case str() if SECRET_KEY.search(key):
            return HIDDEN
        case str() if PATH.fullmatch(value):
            return ".../" + re.split(r"[\\/]", value.rstrip("\\/"))[-1]
        case str():
            return redacted(value)
    return value


NO_PATHS = ("task", "decoding")
"""Sections of a recipe whose texts may look like paths."""
Values = dict[str, Any]


def short(value: str) -> str:
    """`.../` and the last part of an absolute path; any other text unchanged."""
    return str(public(value))


def without_paths(value: Any, under: str = "") -> Any:
    """Nested values and keys with paths shortened; keys stay distinct. Values of secret keys (`under`) are hidden."""
    match value:
        case str():
            return public(value, under)
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
    clean = {name: split if name in NO_PATHS else without_paths(split) for name, split in values.items()}
    training = {key: value for key, value in (clean.get("training") or {}).items() if key not in LOCAL}
    model = clean.get("model") or {}
    if model.get("name_or_path"):
        model["name_or_path"] = base or model["name_or_path"]
    return {name: training if name == "training" else split for name, split in clean.items()}


def _results(values: Values, base: str) -> Values:
    return {name: split if name in ("validation", "test") else without_paths(split) for name, split in values.items()}


def _environment(values: Values, base: str) -> Values:
    return without_paths(values) | {"recipe_folder": None}  # type: ignore[no-any-return]


def _config(values: Values, base: str) -> Values:
    return {
        key: short(value) if isinstance(value, str) and key.endswith(("name_or_path", "_file")) else value
        for key, value in values.items()
    }


def _adapter(values: Values, base: str) -> Values:
    """PEFT stores the local path of the base checkpoint; others need its name in the recipe."""
    return values | {"base_model_name_or_path": base}


CLEANERS: dict[str, Callable[[Values, str], Values]] = {
    "recipe.yaml": _recipe,
    "results.json": _results,
    "environment.json": _environment,
    "config.json": _config,
    "adapter_config.json": _adapter,
    "tokenizer_config.json": _config,
}
"""File name -> function (values, `base`: the recipe's name of the base checkpoint) -> values without local paths."""


def cleaned(name: str, content: bytes, base: str) -> bytes:
    """A file of CLEANERS without local paths; the same bytes if it has none. Raises ValueError if it is damaged."""
    is_yaml = name.endswith(".yaml")
    values = _parsed(content, is_yaml)
    clean = CLEANERS[name](values, base)
    if clean == values:
        return content
    if is_yaml:
        return yaml.safe_dump(clean, sort_keys=False, allow_unicode=True, width=120).encode()
    return (json.dumps(clean, ensure_ascii=False, indent=1) + "\n").encode()


def paths_in(name: str, content: bytes) -> set[str]:
    """The absolute paths that `cleaned` shortens or removes."""
    before = _parsed(content, name.endswith(".yaml"))
    gone = set(_texts(before)) - set(_texts(CLEANERS[name](before, "")))
    return {text for text in gone if short(text) != text}


def shortened(content: bytes, paths: Iterable[str]) -> bytes:
    """A text with each of these absolute paths shortened."""
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
