"""A run is trained again, and it is said whether it comes out the same."""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import Tiny, hasten
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.recipe import load
from hf_tasks.runs import manifest, trained_here
from hf_tasks.runs.provenance import git_revision
from hf_tasks.runs.run import Run
from hf_tasks.training import train
from hf_tasks.training.reproduce import reproduce


def test_a_run_is_reproduced_and_a_difference_is_found(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    rows = [{"text": f"{('good', 'bad')[i % 2]} film {i}", "label": ("yes", "no")[i % 2]} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        f"""
name: tiny
task: {{name: text-classification}}
data: {{train: rows.jsonl, validation_size: 0.3}}
model: {{name_or_path: {tiny("bert")}}}
training: {{max_steps: 2, batch_size: 8, seed: 7, output_dir: {tmp_path}/run}}
"""
    )
    run = train(load(tmp_path / "recipe.yaml"), recipe_dir=tmp_path)
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["seeds"] == {"seed": 7, "data_seed": 7}
    assert environment["packages"].keys() >= {"torch", "transformers", "accelerate", "peft", "datasets"}

    again = reproduce(Run.load(run.path))
    assert again.again.path == tmp_path / "run-reproduced"
    assert again.same
    assert list(again.changed()) == []
    assert list(again.lines())[-1] == "reproduced: every metric is identical"
    weights = [(one.path / "model.safetensors").read_bytes() for one in (again.first, again.again)]
    assert weights[0] == weights[1]

    results = json.loads((run.path / "results.json").read_text())
    text = (run.path / "recipe.yaml").read_text()
    (run.path / "recipe.yaml").write_text(text.replace("seed: 7", "seed: 8"))
    results["validation"]["accuracy"] = 0.123
    (run.path / "results.json").write_text(json.dumps(results))
    environment["packages"]["torch"], environment["threads"] = "1.0", 99
    (run.path / "environment.json").write_text(json.dumps(environment))
    manifest.write(run.path)
    trained_here.record(run.path)
    result = CliRunner().invoke(app, ["reproduce", str(run.path)])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert any(line.startswith("  validation accuracy: 0.123, now ") and "differs" in line for line in lines)
    assert "  changed: training.seed was 7 and is now 8" in lines
    assert any(line.startswith("  changed: threads was 99, is ") for line in lines)
    assert any(line.startswith("  changed: torch was 1.0, is ") for line in lines)
    assert lines[-1] == "not reproduced: metrics differ"


def test_the_revision_of_a_recipe(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    (tmp_path / "recipe.yaml").write_text("name: a\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "A recipe"]):
        subprocess.run([*git, *command], check=True)
    clean = git_revision(tmp_path)
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "recipe.yaml").write_text("name: b\n")
    assert git_revision(tmp_path) == f"{clean}-dirty"
