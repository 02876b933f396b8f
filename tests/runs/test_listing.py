"""`hf-tasks runs`: runs, groups of seeds and damaged runs in one table."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hf_tasks.core.errors import RunError
from hf_tasks.runs.listing import lines, listed

RECIPE = "name: r\ntask: {name: text-classification, metrics: [f1, accuracy]}\nmodel: {name_or_path: m}\n"


def write(folder: Path, results: dict[str, Any], name: str = "results.json", at: int = 0, recipe: str = RECIPE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe)
    (folder / name).write_text(json.dumps(results))
    os.utime(folder / name, (at, at))


def test_runs_are_listed_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    write(tmp_path / "deep" / "one", {"validation": {"n": 9, "f1_macro": 0.5, "accuracy": 1.0}}, at=60)
    group = tmp_path / "group"
    write(group / "seed-3", {"test": {"f1_macro": 0.25}}, at=300)
    write(group, {"seeds": [3, 4], "test": {"f1_macro": {"mean": 0.25, "std": 0.125}}}, "seeds.json", at=240)
    (group / "recipe.yaml").unlink()
    write(tmp_path / "broken", {}, at=120, recipe="name: [")
    (tmp_path / "no run").mkdir()
    shown = [line.split("  ") for line in lines(listed(tmp_path))]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in shown]
    assert [row[:1] + row[1:-1] for row in cells] == [
        ["run", "task", "model", "method", "split", "score"],
        [str(group), "text-classification", "m", "full", "test", "f1_macro 0.2500 ± 0.1250 (2 seeds)"],
        [str(tmp_path / "broken"), "damaged"],
        [str(tmp_path / "deep" / "one"), "text-classification", "m", "full", "validation", "f1_macro 0.5000"],
    ]


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(RunError) as e:
        listed(tmp_path)
    assert str(e.value) == f"{tmp_path}: no run is here; hf-tasks train writes one to runs/NAME"
