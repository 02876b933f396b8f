"""The files of a run that are uploaded to the Hub and downloaded from it: an allow list.

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
from hf_tasks.publish.card.metadata import MODEL_ID
from hf_tasks.publish.plots import CURVE, LAYERS
from hf_tasks.runs import json_files, sentence_transformers_files
from hf_tasks.runs import manifest as runs
from hf_tasks.runs.contained import check_inside

CARD = "README.md"
WEIGHTS = (
    "model.safetensors", "model-*-of-*.safetensors", "adapter_model.safetensors", "trained.safetensors",
)  # fmt: skip
NEED_A_BASE = ("adapter_model.safetensors", "trained.safetensors")
"""Weights that need those of the base checkpoint."""
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model",
    "source.spm", "target.spm", "target_vocab.json", "bpe.codes", "chat_template.jinja",
)  # fmt: skip
ALLOWED = (
    CARD, *WEIGHTS, "model.safetensors.index.json", "config.json", "generation_config.json", "adapter_config.json",
    *TOKENIZER, "recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json",
    "counts/*.npz", manifest.FILE, *sentence_transformers_files.FILES, CURVE, LAYERS,
    "pictures/*.png", "pictures/*.svg",
)  # fmt: skip
PREDICTIONS = "predictions/*.jsonl"
TEXTS = (".json", ".jsonl", ".yaml", ".md", ".txt", ".jinja", ".svg")


@dataclass(frozen=True)
class Staged:
    """A file to upload: a file of the run, or its content without local paths."""

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
        """The hash of a file that the Hub stores as a large file."""
        return sha256(self.content) if isinstance(self.content, Path) else hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_sha1(self) -> str:
        """The hash of a file that the Hub stores in git."""
        return git_sha1(self.read())


def stage(run: Path, repo_id: str, *, predictions: bool = False) -> list[Staged]:
    """The files of a run to upload, sorted by name, without local paths, the repository named in the card.

    The run is only read. Raises RunError if the run or its card is incomplete, or a file contains a secret.
    """
    patterns = (*ALLOWED, PREDICTIONS) if predictions else ALLOWED
    names = sorted(name for name in _names(run) if is_one_of(name, patterns))
    _check_whole(run, names)
    for name in names:
        check_inside(run, run / name)
    contents = {name: (run / name).read_bytes() for name in names if name.endswith(TEXTS)}
    _check_secrets(run, contents)
    changed = {name: content for name, content in _clean(run, contents, repo_id).items() if content != contents[name]}
    for name in json_files.FILES.keys() & contents.keys():
        json_files.read(run / name)
    staged = [Staged(name, changed.get(name, run / name)) for name in names if name != manifest.FILE]
    return sorted([*staged, *_manifest(staged)] if manifest.FILE in names else staged, key=lambda file: file.name)


def _manifest(staged: list[Staged]) -> list[Staged]:
    """The manifest of the uploaded files, without predictions, which are not downloaded with a run."""
    listed = [file for file in staged if runs.is_of_a_run(file.name) and is_one_of(file.name, ALLOWED)]
    entries = {file.name: {"size": file.size, "sha256": file.sha256} for file in listed}
    text = json.dumps(manifest.build(entries), ensure_ascii=False, indent=1) + "\n"
    return [Staged(manifest.FILE, text.encode())]


def _clean(run: Path, contents: Mapping[str, bytes], repo_id: str) -> dict[str, bytes]:
    """The card and other files without local paths."""
    clean, paths, base = dict[str, bytes](), set[str](), ""
    for name in sorted(set(contents) & set(redact.CLEANERS), key="recipe.yaml".__ne__):  # the recipe first
        try:
            base = _base(run, contents[name]) if name == "recipe.yaml" else base
            clean[name] = redact.cleaned(name, contents[name], base)
            paths |= redact.paths_in(name, contents[name])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{run / name}: the file is damaged and the run incomplete; train it again") from None
    named = contents[CARD].replace(MODEL_ID.encode(), repo_id.encode())
    return clean | {CARD: redact.shortened(named, paths)}


def _base(run: Path, recipe: bytes) -> str:
    """The recipe's name of the base checkpoint.

    Raises RunError if only this machine has the checkpoint and the run needs it.
    """
    values = parse_yaml(recipe)
    base = values["model"].get("name_or_path") or ""  # empty for a model from scratch
    if base and is_local(base) and any((run / name).is_file() for name in NEED_A_BASE):
        if named := (values.get("card") or {}).get("base_model"):
            return str(named)
        raise RunError(f"{run}: {no_base(base)}")
    return redact.short(base)


def is_local(base: str) -> bool:
    """Whether a checkpoint is a local folder or an installed package."""
    return redact.short(base) != base or base.startswith(PACKAGE) or Path(base).is_dir()


def no_base(base: str) -> str:
    """The error message for a run that needs a local base checkpoint."""
    return (
        f"it contains only the trained parameters, and its base checkpoint {base} is not on the Hub; "
        "train it from a Hub id, or set card.base_model in the recipe to the Hub id of the same checkpoint"
    )


def _check_secrets(run: Path, contents: Mapping[str, bytes]) -> None:
    """Raises RunError with the file, line and kind of each secret."""
    remedy = "remove it, revoke it at its issuer, then push again"
    problems = [
        f"{run / name}:{line}: contains {kind}; {remedy}"
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
        raise RunError(f"{run}: there is no run (no recipe.yaml); give the directory that `train` wrote")
    if not any(is_one_of(name, WEIGHTS) for name in names) or "results.json" not in names:
        raise RunError(f"{run}: this training did not finish: weights or results.json are missing; train it again")
    if CARD not in names:
        raise RunError(f"{run}: there is no card; write it with: hf-tasks card {run} --write")
