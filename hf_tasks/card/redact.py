"""A recipe as it may be shown: without secrets, and without the places of this machine."""

import json
import re
from typing import Any

import yaml

from hf_tasks.recipe import Recipe

TOKENS = re.compile(
    r"\b(hf_|gh[pousr]_|github_pat_|glpat-|sk-(proj-|ant-)?|xox[abpr]-)[A-Za-z0-9]{20,}[\w-]*|\bAKIA[A-Z0-9]{16}\b"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
"""What access tokens of well-known services look like, and a name and password in an address."""
SECRET_KEY = re.compile(r"(^|_)(token|secret|password|passwd|credentials?|api_?key)$", re.IGNORECASE)
PATH = re.compile(r"(file://)?(~|/[^/\s]+|[A-Za-z]:|\\\\)[\\/]\S.*")
LOCAL = ("output_dir",)
"""Keys of `training` that name places of this machine and nothing else."""
HIDDEN = "***"


def redacted(text: str) -> str:
    """Text without access tokens."""
    return TOKENS.sub(HIDDEN, text)


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, every given key, without secrets and folders of this machine."""
    values = json.loads(recipe.model_dump_json(exclude_unset=True))
    training = values.get("training", {})
    values["training"] = {key: value for key, value in training.items() if key not in LOCAL}
    shown = {key: value for key, value in public(values).items() if value != {}}
    return redacted(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120))


def public(value: Any, key: str = "") -> Any:
    """Plain values without secrets; of an absolute path only the last part stays."""
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
