"""The generated parts of a card, between `<!-- hf_tasks:begin NAME -->` and `<!-- hf_tasks:end NAME -->`.

What stands outside of them belongs to people. The metadata at the top is shared: our keys are renewed, others and
all comments stay.
"""

import re
from typing import Any

import yaml

from hf_tasks.core.untrusted import parse_yaml
from hf_tasks.errors import UserError

BLOCK = re.compile(r"^<!-- hf_tasks:begin (\S+) -->\n(.*?)^<!-- hf_tasks:end \1 -->$", re.MULTILINE | re.DOTALL)
FRONT = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
OURS = ("model-index", "metrics", "pipeline_tag", "library_name", "base_model", "base_model_relation")
"""Keys of the metadata that are never a person's."""


def blocks(text: str) -> dict[str, str]:
    """Name -> content of each generated part."""
    return dict(BLOCK.findall(text))


def metadata(text: str) -> dict[str, Any]:
    """The YAML at the top of a card; empty where there is none."""
    front = FRONT.match(text)
    found = parse_yaml(front[1]) if front else None
    return found if isinstance(found, dict) else {}


def renewed(edited: str, generated: str) -> str:
    """`edited` with the generated parts of `generated`; a part that a person removed stays removed."""
    fresh = blocks(generated)

    def new(found: re.Match[str]) -> str:
        name = found[1]
        content = fresh.get(name, found[2])
        return f"<!-- hf_tasks:begin {name} -->\n{content}<!-- hf_tasks:end {name} -->"

    body = BLOCK.sub(new, FRONT.sub("", edited, count=1))
    front, before = FRONT.match(edited), metadata(edited)
    return f"---\n{_front(front[1] if front else '', before, _joined(before, metadata(generated)))}---\n{body}"


def _joined(edited: dict[str, Any], generated: dict[str, Any]) -> dict[str, Any]:
    """What people wrote wins, but for keys that are never theirs; tags are joined."""
    kept = {key: value for key, value in edited.items() if key not in OURS}
    tags = [tag for tag in edited.get("tags") or [] if tag not in generated.get("tags", [])]
    return generated | kept | ({"tags": [*generated.get("tags", []), *tags]} if "tags" in generated else {})


def _front(text: str, before: dict[str, Any], values: dict[str, Any]) -> str:
    """The YAML of `values`: the lines of `text`, with their comments, for every value that stays."""
    if before == values:
        return text
    from hf_tasks.sweep.edit import edited

    fresh = {key: value for key, value in values.items() if key in OURS and before.get(key) != value}
    kept = {key: value for key, value in values.items() if key not in fresh}
    try:
        front = edited(text, kept) + (_yaml(fresh) if fresh else "")
        unchanged = yaml.safe_load(front) == values
    except (UserError, yaml.YAMLError, AssertionError, LookupError):
        unchanged = False
    return front if unchanged else _yaml(values)


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
