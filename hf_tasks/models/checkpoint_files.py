"""The files of a checkpoint that loading reads, and their hashes."""

from fnmatch import fnmatch
from pathlib import Path

from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.core.hashing import cached_sha256
from hf_tasks.models.section import Model

READ = (
    "config.json", "generation_config.json", "adapter_config.json", "*.safetensors", "*.safetensors.index.json",
    "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "*vocab*", "merges.txt", "*.model", "*.spm",
    "*.codes", "chat_template.jinja",
)  # fmt: skip
"""What transformers and PEFT look for in a folder: configuration, weights, tokenizer."""


def is_read(name: str) -> bool:
    """Whether transformers or PEFT read a file of this name."""
    return any(fnmatch(name, pattern) for pattern in READ)


def hashes(model: Model) -> dict[str, dict[str, str]]:
    """For each key of the section that names a checkpoint, the SHA-256 of each of its files; a checkpoint of the Hub
    that is not in the cache is left out."""
    named = {"model.name_or_path": model.name_or_path, "model.decoder_name_or_path": model.decoder_name_or_path}
    folders = {key: _folder(name, model.revision) for key, name in named.items() if name}
    return {key: folder_hashes(folder) for key, folder in folders.items() if folder}


def folder_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that is read, by its name."""
    found = sorted(path for path in folder.iterdir() if is_read(path.name) and path.is_file())
    return {path.name: cached_sha256(path) for path in found}


def _folder(name_or_path: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    place = resolve_checkpoint(name_or_path)
    if Path(place).is_dir():
        return Path(place)
    config = try_to_load_from_cache(place, "config.json", revision=revision)
    return Path(config).parent if isinstance(config, str) else None
