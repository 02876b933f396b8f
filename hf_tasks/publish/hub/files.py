"""Which files of a run go to the Hub and come from it: an allow list, so that nothing else ever does.

No pickles (*.bin, *.pt, *.pkl, training_args.bin), no checkpoints, no .env; predictions only when asked for.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from hf_tasks.core import manifest
from hf_tasks.core.checkpoint_paths import PACKAGE
from hf_tasks.core.errors import RunError
from hf_tasks.core.hashing import sha256
from hf_tasks.core.untrusted import parse_yaml
from hf_tasks.publish import redact
from hf_tasks.publish.card.pictures import CURVE, LAYERS
from hf_tasks.publish.card.usage import MODEL_ID
from hf_tasks.runs import manifest as runs
from hf_tasks.runs.contained import check_inside

CARD = "README.md"
WEIGHTS = (
    "model.safetensors", "model-*-of-*.safetensors", "adapter_model.safetensors", "trained.safetensors",
)  # fmt: skip
NEED_A_BASE = ("adapter_model.safetensors", "trained.safetensors")
"""Weights that are a part of a model: the base checkpoint has the others."""
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model",
    "source.spm", "target.spm", "target_vocab.json", "bpe.codes", "chat_template.jinja",
)  # fmt: skip
ALLOWED = (
    CARD, *WEIGHTS, "model.safetensors.index.json", "config.json", "generation_config.json", "adapter_config.json",
    *TOKENIZER, "recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json",
    manifest.FILE, CURVE, LAYERS, "pictures/*.png", "pictures/*.svg",
)  # fmt: skip
PREDICTIONS = "predictions/*.jsonl"
TEXTS = (".json", ".jsonl", ".yaml", ".md", ".txt", ".jinja", ".svg")


@dataclass(frozen=True)
class Staged:
    """A file as it goes up: a file of the run, or its content without what must stay here."""

    name: str
    content: Path | bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    @cached_property
    def sha256(self) -> str:
        """What names the content where it is stored as a large file."""
        return sha256(self.content) if isinstance(self.content, Path) else hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_sha1(self) -> str:
        """What names the content where git stores it."""
        return git_sha1(self.read())


def stage(run: Path, repo_id: str, *, predictions: bool = False) -> list[Staged]:
    """The files of a run that go to the Hub, sorted by name, without paths of this machine, the card with the name of
    the repository. The run is only read.

    Raises RunError where the directory is not a whole run with its card, and where files hold secrets.
    """
    patterns = (*ALLOWED, PREDICTIONS) if predictions else ALLOWED
    names = sorted(name for name in _names(run) if is_one_of(name, patterns))
    _check_whole(run, names)
    for name in names:
        check_inside(run, run / name)
    contents = {name: (run / name).read_bytes() for name in names if name.endswith(TEXTS)}
    _check_secrets(run, contents)
    changed = {name: content for name, content in _clean(run, contents, repo_id).items() if content != contents[name]}
    staged = [Staged(name, changed.get(name, run / name)) for name in names if name != manifest.FILE]
    return sorted([*staged, *_manifest(staged)] if manifest.FILE in names else staged, key=lambda file: file.name)


def _manifest(staged: list[Staged]) -> list[Staged]:
    """The manifest of the files as they go up; predictions are not fetched with a run, and not listed."""
    listed = [file for file in staged if runs.is_of_a_run(file.name) and is_one_of(file.name, ALLOWED)]
    entries = {file.name: {"size": file.size, "sha256": file.sha256} for file in listed}
    text = json.dumps(manifest.text(entries), ensure_ascii=False, indent=1) + "\n"
    return [Staged(manifest.FILE, text.encode())]


def _clean(run: Path, contents: Mapping[str, bytes], repo_id: str) -> dict[str, bytes]:
    """The card, and the files that may hold paths of this machine, without them."""
    clean, paths, base = dict[str, bytes](), set[str](), ""
    for name in sorted(set(contents) & set(redact.CLEANERS), key="recipe.yaml".__ne__):  # the recipe first
        try:
            base = _base(run, contents[name]) if name == "recipe.yaml" else base
            clean[name] = redact.cleaned(name, contents[name], base)
            paths |= redact.paths_in(name, contents[name])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{run / name}: the file is broken; the run is not whole, train it again") from None
    named = contents[CARD].replace(MODEL_ID.encode(), repo_id.encode())
    return clean | {CARD: redact.shortened(named, paths)}


def _base(run: Path, recipe: bytes) -> str:
    """The recipe's name of the checkpoint that training started from. RunError where only this machine has it, and the
    run is no model without it."""
    values = parse_yaml(recipe)
    base = values["model"].get("name_or_path") or ""  # nothing for a model from scratch
    if base and is_local(base) and any((run / name).is_file() for name in NEED_A_BASE):
        if named := (values.get("card") or {}).get("base_model"):
            return str(named)
        raise RunError(f"{run}: {no_base(base)}")
    return redact.short(base)


def is_local(base: str) -> bool:
    """Whether a checkpoint is a folder of this machine, or that of an installed package."""
    return redact.short(base) != base or base.startswith(PACKAGE) or Path(base).is_dir()


def no_base(base: str) -> str:
    """Why a run that holds a part of a model is not pushed."""
    return (
        f"it holds what was trained alone, and {base}, the checkpoint that it needs, is not on the Hub for others; "
        "train it from a Hub id, or name the same checkpoint's Hub id as card.base_model in the recipe"
    )


def _check_secrets(run: Path, contents: Mapping[str, bytes]) -> None:
    """RunError that names the file, the line and the kind of each secret."""
    remedy = "remove it here, withdraw it where it was issued, then push again"
    problems = [
        f"{run / name}:{line}: holds {kind}; {remedy}"
        for name, content in contents.items()
        for line, kind in redact.secrets_in(content.decode("utf-8", "replace"))
    ]
    if problems:
        raise RunError(*problems)


def is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a file's name in the repository matches; `*` does not reach into folders."""
    return any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns)


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _names(run: Path) -> list[str]:
    """All files in the folder and in its folders."""
    return [path.relative_to(run).as_posix() for path in (*run.glob("*"), *run.glob("*/*")) if path.is_file()]


def _check_whole(run: Path, names: list[str]) -> None:
    if "recipe.yaml" not in names:
        raise RunError(f"{run}: no run is here (no recipe.yaml); give the directory that `train` wrote")
    if not any(is_one_of(name, WEIGHTS) for name in names) or "results.json" not in names:
        raise RunError(f"{run}: this training did not finish, there is no measured model; train it again")
    if CARD not in names:
        raise RunError(f"{run}: there is no card; write it with: hf-tasks card {run} --write")
