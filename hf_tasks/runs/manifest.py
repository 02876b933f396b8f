"""The manifest of a finished run: whether its files are still those that training wrote.

Not listed are README.md and pictures/, which `card --write` renews and people edit. Files that people add are left
alone, except those that transformers or PEFT would read with the model.
"""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from hf_tasks.core import manifest
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import files_below
from hf_tasks.core.hashing import cached_sha256, sha256
from hf_tasks.models.checkpoint_files import is_read
from hf_tasks.runs import trained_here

FILE = manifest.FILE
OWN = ("recipe.yaml", "results.json", "train_stats.json", "training_log.jsonl", "environment.json")


def is_of_a_run(name: str) -> bool:
    """Whether a file of this name in a run's directory is the run's, and not one that people added."""
    return ("/" not in name and is_read(name)) or name in OWN or fnmatch(name, "predictions/*.jsonl")


def write(run: Path) -> None:
    """Write a run's manifest, or write it anew: its files are accepted as they are. RunError where no run is."""
    if not all((run / name).is_file() for name in ("recipe.yaml", "results.json")):
        raise RunError(f"{run}: no finished run is here; give the directory that `train` wrote")
    names = (path.relative_to(run).as_posix() for path in files_below(run))
    manifest.write(run, manifest.entries(run, filter(is_of_a_run, names)))


def renew(run: Path) -> bool:
    """Accept a run's files as they are; whether it counts as trained here. It does where it did before its files were
    changed, in this directory: who accepts them has changed them here. RunError where no run is."""
    trained = trained_here.was_trained_here(run)
    write(run)
    if trained:
        trained_here.record(run)
    return trained


def check(run: Path, *, thorough: bool = False) -> int:
    """Compare a run with its manifest: sizes always, contents once for each version of a file; `thorough`: every
    content is read. The number of files that were compared, 0 without a manifest. RunError names what is damaged."""
    if not (run / FILE).exists():
        return 0
    try:
        files = manifest.read(run)["files"]
        found = [*manifest.problems(run, files, sha256 if thorough else cached_sha256), *_notes(run, files)]
    except (ValueError, OSError, KeyError, TypeError) as e:
        found = [e.args[0] if isinstance(e, ValueError) else f"its {FILE} is damaged"]
    if found:
        remedy = f"put back what was there, or accept the run as it is with: hf-tasks verify {run} --renew"
        raise RunError(*(f"{run}: {problem}; {remedy}" for problem in found))
    return len(files)


def _notes(run: Path, files: manifest.Entries) -> Iterator[str]:
    for name in _strange(run, list(files)):
        yield f"{name} does not belong to it, and would be read with the model"


def _strange(run: Path, listed: list[str]) -> list[str]:
    """Files that are read with the model and not listed."""
    return sorted(path.name for path in run.iterdir() if is_read(path.name) and path.name not in listed)
