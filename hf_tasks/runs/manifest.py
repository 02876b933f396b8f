"""The manifest of a finished run, which shows whether its files are still those that training wrote.

README.md and pictures/ are not listed, since `card --write` rewrites them and users edit them. Other files can be
added, except those that transformers or PEFT would load with the model.
"""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from hf_tasks.core import manifest
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import files_below
from hf_tasks.core.hashing import cached_sha256, sha256
from hf_tasks.models.checkpoint_files import is_read
from hf_tasks.runs import sentence_transformers_files, trained_here

FILE = manifest.FILE
OWN = ("recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json")

FOLDERS = ("predictions/*.jsonl", "counts/*.npz")


def is_of_a_run(name: str) -> bool:
    """Whether a file name in a run's directory is one that training writes, not one that a user added."""
    own = name in OWN or name in sentence_transformers_files.FILES
    return ("/" not in name and is_read(name)) or own or any(fnmatch(name, kind) for kind in FOLDERS)


def write(run: Path) -> None:
    """Write or replace a run's manifest for its current files. Raises RunError if there is no finished run."""
    if not all((run / name).is_file() for name in ("recipe.yaml", "results.json")):
        raise RunError(f"{run}: there is no finished run; give the directory that `train` wrote")
    names = (path.relative_to(run).as_posix() for path in files_below(run))
    manifest.write(run, manifest.entries(run, filter(is_of_a_run, names)))


def renew(run: Path) -> bool:
    """Accept a run's current files and return whether it counts as trained here. Raises RunError without a run.

    It does if it was trained in this directory, since the user who accepts the changes has made them here.
    """
    trained = trained_here.was_trained_here(run)
    write(run)
    if trained:
        trained_here.record(run)
    return trained


def check(run: Path, *, thorough: bool = False) -> int:
    """Compare a run's files with its manifest; return the number of files, 0 without a manifest.

    Sizes are always compared, hashes are cached for unchanged files unless `thorough`. Raises RunError with the damaged
    files.
    """
    if not (run / FILE).exists():
        return 0
    try:
        files = manifest.read(run)["files"]
        found = [*manifest.problems(run, files, sha256 if thorough else cached_sha256), *_notes(run, files)]
    except (ValueError, OSError, KeyError, TypeError) as e:
        found = [e.args[0] if isinstance(e, ValueError) else f"its {FILE} is damaged"]
    if found:
        remedy = f"restore the original, or accept the files as they are with: hf-tasks verify {run} --renew"
        raise RunError(*(f"{run}: {problem}; {remedy}" for problem in found))
    return len(files)


def _notes(run: Path, files: manifest.Entries) -> Iterator[str]:
    for name in _unlisted(run, list(files)):
        yield f"{name} does not belong to it, and would be loaded with the model"


def _unlisted(run: Path, listed: list[str]) -> list[str]:
    """Return the files that are loaded with the model and not listed."""
    return sorted(path.name for path in run.iterdir() if is_read(path.name) and path.name not in listed)
