"""Downloads a run from the Hub into the cache of huggingface_hub, and compares it with the Hub's hashes.

Only files of the allow list are downloaded, never code or pickles. Without a network the cached files are used.
"""

import re
from pathlib import Path

from hf_tasks.core.errors import RunError
from hf_tasks.core.hashing import sha256
from hf_tasks.recipe.sections import wrong_name

ID = re.compile(r"([^/@\s]+/[^/@\s]+)(?:@([\w./-]+))?")


def folder_of(run: str | Path) -> Path:
    """The directory of a run; ORG/NAME or ORG/NAME@REVISION is downloaded from the Hub.

    Raises RunError if the download fails.
    """
    path, named = Path(run), ID.fullmatch(str(run))
    if path.exists() or not named or wrong_name(named[1]):
        return path
    if Path(path.parts[0]).exists() and not named[2]:  # a mistyped name in an existing folder
        return path
    return fetch(named[1], named[2])


def fetch(repo_id: str, revision: str | None = None) -> Path:
    """The cached folder of a run of the Hub, downloaded if necessary. Raises RunError."""
    from importlib.metadata import version

    from huggingface_hub import snapshot_download

    from hf_tasks.publish.hub.client import bars, explained, retried
    from hf_tasks.publish.hub.files import ALLOWED

    name = f"{repo_id}@{revision}" if revision else repo_id
    with explained(f"{name} (no such folder, so it was looked up on the Hub)"), bars():
        folder = Path(
            retried(
                lambda: snapshot_download(
                    repo_id,
                    revision=revision,
                    allow_patterns=list(ALLOWED),
                    library_name="hf_tasks",
                    library_version=version("hf_tasks"),
                )
            )
        )
        _compare(repo_id, folder)
    if not (folder / "recipe.yaml").is_file():
        raise RunError(
            f"{repo_id}: is not a run of hf_tasks (it has no recipe.yaml); name another repository or a directory"
        )
    return folder


def _compare(repo_id: str, folder: Path) -> None:
    """Raises RunError if a file is damaged; it is removed, so that it is downloaded again.

    The cache names contents by the Hub's hash, SHA-256 of large files and git's SHA-1 of others, and links them.
    """
    from hf_tasks.publish.hub.files import git_sha1

    for link in [path for path in folder.rglob("*") if path.is_symlink()]:
        content = link.resolve()
        found = sha256(content) if len(content.name) == 64 else git_sha1(content.read_bytes())
        if found != content.name:
            content.unlink()
            link.unlink()
            raise RunError(f"{repo_id}: {link.name} was damaged during the download and has been removed; try again")
