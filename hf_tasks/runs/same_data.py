"""Whether runs were trained and measured on the same data, by what their results record of each split."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RunError
from hf_tasks.data import file_hashes

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run


def identity(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is equal only for splits of the same rows: the contents of their files, and which rows of them."""
    return (*facts.get("files", {}).values(), facts.get("rows_sha256"))


def check(runs: Sequence[tuple[str, Mapping[str, Any]]], splits: Sequence[str]) -> None:
    """RunError where runs, each with its name and the `data` of its results, have a split of other data than the first.
    Splits that one of them lacks are not compared."""
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
    """For each split whose files have changed since a run was trained, that in words. DataError where they are gone."""
    recorded = {split: facts.get("files", {}) for split, facts in run.results.get("data", {}).items()}
    return {
        split: f"the {split} data have changed since the training ({', '.join(_other(files, recorded[split]))})"
        for split, files in file_hashes(run.recipe.data, run.recipe_folder).items()
        if split in recorded and list(files.values()) != list(recorded[split].values())
    }


def _names(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The files that differ; else which rows of the same files are taken."""
    return ", ".join(_other(one.get("files", {}), other.get("files", {}))) or "other rows of the same files"


def _other(files: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    return [name for name, digest in files.items() if digest not in before.values()] or [
        name for name, digest in before.items() if digest not in files.values()
    ]
