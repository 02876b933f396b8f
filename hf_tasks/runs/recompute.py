"""Compute the scores of results.json again from the counts of each example and compare them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import RunError, UserError
from hf_tasks.core.hashing import sha256
from hf_tasks.core.untrusted import malformed_as_run_error
from hf_tasks.metrics import METRICS
from hf_tasks.recipe import yaml_file
from hf_tasks.runs import counts
from hf_tasks.runs.run import RECIPE, Run

SPLITS = ("validation", "test")
TOLERANCE = 1e-6
"""Relative difference that counts as rounding."""


def problems(run: Run) -> list[str]:
    """Return errors: scores that differ from those of the counts, and files that have changed since the evaluation.

    Empty for a run without hashes of these files.
    """
    hashes = run.results.get("sha256", {})
    found = []
    for split in [split for split in SPLITS if split in run.results and hashes]:
        try:
            found += [*_files(run.path, split, hashes), *_scores(run, split)]
        except RunError as e:
            found += e.problems
    return found


def problems_in(path: Path) -> list[str]:
    """Return the `problems` of a run that cannot be loaded because of a changed file; [] without recipe or results."""
    try:
        run = Run(path, recipes.validate(yaml_file.read(path / RECIPE)))
        return [f"{path}: {problem}" for problem in problems(run)]
    except UserError:
        return []


def line(run: Run) -> str:
    """Return a line with the number of recomputed scores and the names of the others."""
    if "sha256" not in run.results:
        return f"{run.path}: its scores were not computed again: it has no counts of each example"
    given = {split: set(_computed(run, split)) for split in SPLITS if split in run.results}
    stated = [(split, name) for split in given for name in run.results[split] if name not in ("intervals", "notes")]
    others = list(dict.fromkeys(name for split, name in stated if name not in given[split]))
    count = sum(name in given[split] for split, name in stated)
    more = f"; not computed: {', '.join([*others, 'intervals'])}" if count else ""
    return f"{run.path}: {count} scores are what the counts of each example give{more}"


def _files(path: Path, split: str, hashes: dict[str, str]) -> Iterator[str]:
    """Yield errors for missing or changed files; predictions can be missing, since they are not pushed."""
    for name in counts.files_of(split):
        if name not in hashes:
            yield f"results.json: sha256: {name} is missing"
        elif (path / name).is_file() and sha256(path / name) != hashes[name]:
            yield f"{name} is not the file whose SHA-256 results.json states"


def _scores(run: Run, split: str) -> Iterator[str]:
    stated = run.results[split]
    for name, value in _computed(run, split).items():
        if not _same(stated.get(name), value):
            found = repr(stated.get(name))[:40]
            yield f"results.json: {split}.{name} is {found}, but the counts of each example give {value}"


def _computed(run: Run, split: str) -> dict[str, Any]:
    """Compute `n` and the values of every metric that has counts."""
    path = run.path / counts.FOLDER / f"{split}.npz"
    tables, values = counts.read(path), dict[str, Any]()
    with malformed_as_run_error(path):
        for name in run.recipe.task.metrics:
            if name in METRICS and METRICS[name].statistics:
                values |= {"n": len(tables[name])} | METRICS[name].restored(tables[name]).total()
    return values


def _same(stated: Any, value: float) -> bool:
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return False
    return math.isclose(stated, value, rel_tol=TOLERANCE, abs_tol=1e-9) or (math.isnan(stated) and math.isnan(value))
