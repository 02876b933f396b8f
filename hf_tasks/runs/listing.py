"""The runs in a folder, as a table: task, model, method, score, date."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.core.printable import printable
from hf_tasks.core.untrusted import parse_yaml, read_json, read_text
from hf_tasks.metrics import METRICS

RECIPE, RESULTS = "recipe.yaml", "results.json"
GROUPS = ("seed", "fold")
"""What the runs of a group differ in: its results are in seeds.json or folds.json."""
DEEPEST = 4
"""Levels of folders below the given one that are searched."""


@dataclass(frozen=True)
class ListedRun:
    run: str
    task: str
    model: str
    method: str
    split: str
    score: str
    date: str


def listed(folder: Path) -> list[ListedRun]:
    """The runs in a folder, the newest first; those of several seeds or folds as one. Raises RunError for none."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder; name the one that holds the runs")
    runs = sorted(_found(folder), key=lambda run: run.date, reverse=True)
    if not runs:
        raise RunError(f"{folder}: no run is here; hf-tasks train writes one to runs/NAME")
    return runs


def lines(runs: Sequence[ListedRun]) -> Iterator[str]:
    """The runs as a table with a header."""
    rows = [tuple(ListedRun.__dataclass_fields__), *(tuple(printable(cell) for cell in astuple(run)) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def main_score(metrics: Sequence[str], scores: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The name and value of the first number that a task's metrics gave."""
    names = (name for metric in metrics for name in (metric, *(METRICS[metric].described if metric in METRICS else ())))
    return next(((name, scores[name]) for name in names if isinstance(scores.get(name), int | float | dict)), None)


def _found(folder: Path, depth: int = 0) -> Iterator[ListedRun]:
    for results in (*(folder / f"{kind}s.json" for kind in GROUPS), folder / RESULTS):
        if results.is_file():
            yield _listed(folder, results)
            return
    if depth < DEEPEST:
        for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _found(below, depth + 1)


def _listed(folder: Path, results: Path) -> ListedRun:
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(results.stat().st_mtime))
    try:
        measured = read_json(results)
        kind = next((kind for kind in GROUPS if measured.get(f"{kind}s")), "")
        several = measured[f"{kind}s"] if kind else []
        recipe = parse_yaml(read_text((folder / f"{kind}-{several[0]}" if kind else folder) / RECIPE))
        task, model = recipe["task"], recipe["model"]
        split = next((name for name in ("test", "validation") if name in measured), "")
        score = main_score(task.get("metrics", ()), measured.get(split, {}))
        method = recipe.get("method", {}).get("name", "full")
        cells = (task["name"], str(model.get("name_or_path", "from scratch")), method, split)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ListedRun(str(folder), "damaged", "", "", "", "", date)
    return ListedRun(str(folder), *cells, _shown(score, f"{len(several)} {kind}s"), date)


def _shown(score: tuple[str, Any] | None, several: str) -> str:
    match score:
        case None:
            return ""
        case (name, {"mean": float(mean), "std": std}):
            spread = f" ± {std:.4f}" if isinstance(std, float) else ""
            return f"{name} {mean:.4f}{spread} ({several})"
        case (name, value):
            return f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
