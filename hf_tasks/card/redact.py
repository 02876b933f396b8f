"""A recipe as it may be shown: without secrets, and without the places of this machine."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

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
"""What secrets of well-known services look like: the one list for recipes, cards, messages and what is pushed."""
ANY_SECRET = re.compile("|".join(SECRETS.values()))
SECRET_KEY = re.compile(r"(^|_)(token|secret|password|passwd|credentials?|api_?key)$", re.IGNORECASE)
PATH = re.compile(r"(file://)?(~|/[^/\s]+|[A-Za-z]:|\\\\)[\\/]\S.*")
LOCAL = ("output_dir",)
"""Keys of `training` that name places of this machine and nothing else."""
HIDDEN = "***"


def redacted(text: str) -> str:
    """Text without secrets."""
    return ANY_SECRET.sub(HIDDEN, text)


def secrets_in(text: str) -> Iterator[tuple[int, str]]:
    """Each secret in a text: (the line, counted from 1; what kind it is)."""
    for found in ANY_SECRET.finditer(text):
        kind = next(name for name, pattern in SECRETS.items() if re.match(pattern, found[0]) or "URL" in name)
        yield text.count("\n", 0, found.start()) + 1, kind


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
