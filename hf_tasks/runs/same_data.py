"""Check from the results of runs whether they were trained and evaluated on the same data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RunError
from hf_tasks.data import file_hashes

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run


def identity(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the hashes of a split's files and row numbers, which are equal only for the same examples."""
    return (*facts.get("files", {}).values(), facts.get("rows_sha256"))


def check(runs: Sequence[tuple[str, Mapping[str, Any]]], splits: Sequence[str]) -> None:
    """Raise RunError if the data of a split differ from those of the first run.

    `runs`: (name, `data` of the results). Splits that a run does not have are not compared.
    """
    (first, expected), *others = runs
    problems = [
        f"{name}: its {split} data are not those of {first} ({_names(facts[split], expected[split])})"
        for name, facts in others
        for split in splits
        if split in facts and split in expected and identity(facts[split]) != identity(expected[split])
    ]
    if problems:
        raise RunError(*problems)


def changed(run: "Run") -> dict[str, str]:
    """Return {split: message} for splits whose files have changed since the training. Raises DataError if missing."""
    recorded = {split: facts.get("files", {}) for split, facts in run.results.get("data", {}).items()}
    return {
        split: f"the {split} data have changed since the training ({', '.join(_other(files, recorded[split]))})"
        for split, files in file_hashes(run.recipe.data, run.recipe_folder).items()
        if split in recorded and list(files.values()) != list(recorded[split].values())
    }


def _names(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the files that differ, or that other rows of the same files are used."""
    return ", ".join(_other(one.get("files", {}), other.get("files", {}))) or "other rows of the same files"


def _other(files: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    return [name for name, digest in files.items() if digest not in before.values()] or [
        name for name, digest in before.items() if digest not in files.values()
    ]
