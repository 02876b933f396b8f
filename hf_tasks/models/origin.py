"""Where a base model comes from: its commit on the Hub, its kind, and what its own card says. Read before training."""

import re
from pathlib import Path
from typing import Any

from hf_tasks.core.checkpoint_paths import PACKAGE, resolve_checkpoint
from hf_tasks.core.untrusted import parse_yaml
from hf_tasks.models.section import Model

COMMIT = re.compile(r"/snapshots/([0-9a-f]{40})/")
FRONT = re.compile(r"\A---[ \t\r]*\n(.*?)^---[ \t\r]*$", re.MULTILINE | re.DOTALL)
LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
"""The form of the Hub's identifiers of licences."""
LONGEST_CARD = 1_000_000
"""Bytes of a card that are read."""


def pinned(model: Model) -> Model:
    """The section with the commit of its checkpoint on the Hub as `revision`, by the Hub or the cache; unchanged for
    folders, packages and new models, and where the commit is not known."""
    from huggingface_hub import hf_hub_download

    if model.is_new or not _on_hub(model):
        return model
    try:
        file = hf_hub_download(model.name_or_path, "config.json", revision=model.revision)
    except (OSError, ValueError):
        return model  # loading the checkpoint says what is wrong
    commit = COMMIT.search(Path(file).as_posix())
    return model.model_copy(update={"revision": commit[1]}) if commit else model


def origin(model: Model) -> dict[str, Any]:
    """`from` ("hub", "folder", "package", "scratch"), `revision`, `model_type`, `license` by the base model's own card,
    and what became of that `card`: "read", "none", "broken", or "unreached" where the Hub did not give it."""
    from transformers import AutoConfig

    if model.config is not None:
        return {"from": "scratch", "model_type": model.config["model_type"], "license": None}
    place = resolve_checkpoint(model.name_or_path)
    kind = "hub" if _on_hub(model) else "package" if model.name_or_path.startswith(PACKAGE) else "folder"
    config = AutoConfig.from_pretrained(place, revision=model.revision, trust_remote_code=False)
    revision = model.revision if kind == "hub" else None
    return {"from": kind, "revision": revision, "model_type": config.model_type, **_license(place, revision, kind)}


def _on_hub(model: Model) -> bool:
    return not Path(resolve_checkpoint(model.name_or_path)).is_dir()


def _license(place: str, revision: str | None, kind: str) -> dict[str, str | None]:
    try:
        file = _card(place, revision) if kind == "hub" else Path(place, "README.md")
    except (OSError, ValueError):
        return {"license": None, "card": "unreached"}
    if file is None or not file.is_file():
        return {"license": None, "card": "none"}
    try:
        with file.open("rb") as opened:
            front = FRONT.match(opened.read(LONGEST_CARD).decode("utf-8", "replace").removeprefix("\ufeff"))
        found = parse_yaml(front[1]) if front else {}
    except (OSError, ValueError):
        return {"license": None, "card": "broken"}
    license = found.get("license") if isinstance(found, dict) else None
    known = isinstance(license, str) and LICENSE.fullmatch(license)
    return {"license": license if known else None, "card": "read"}


def _card(repo_id: str, revision: str | None) -> Path | None:
    """The card of a repository of the Hub; None where it has none. OSError or ValueError where it cannot be had."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo_id, "README.md", revision=revision))
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError:
        return None
