"""k-fold cross-validation: every example is tested once, by a run that did not train on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Tiny, hasten

import hf_tasks
from hf_tasks.cli import publishing, runs, training
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.publish.report import report
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import listing
from hf_tasks.runs.run import Run
from hf_tasks.training import train
from hf_tasks.training.folds import FoldRuns, compare
from hf_tasks.training.seeds import SeedRuns

LABELS = [("yes", "no")[i % 3 == 0] for i in range(30)]


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check in a fresh process, which takes seconds."""
    hasten(monkeypatch)


@pytest.fixture
def values(tiny: Tiny, tmp_path: Path) -> dict[str, Any]:
    rows = [{"text": f"a {('good', 'bad')[i % 2]} film {i}", "label": label} for i, label in enumerate(LABELS)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "name": "tiny",
        "task": {"name": "text-classification"},
        "data": {"train": str(file), "test": str(tmp_path / "rows.jsonl"), "folds": 3},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": {"num_train_epochs": 1, "learning_rate": 1e-2, "output_dir": str(tmp_path / "runs")},
    }


def test_every_example_is_tested_once(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Interrupted in the second fold, then resumed; scores of all folds together counted by hand."""
    trained: list[int] = []

    def some(recipe: Recipe, **options: Any) -> Run:
        if not Run.is_finished(recipe.output_dir):
            trained.append(recipe.data.fold or 0)
            if trained == [1, 2]:
                raise KeyboardInterrupt
        return train(recipe, **options)

    monkeypatch.setattr("hf_tasks.training.train", some)
    with pytest.raises(KeyboardInterrupt):
        hf_tasks.train(from_dict(values))
    assert not FoldRuns.is_here(tmp_path / "runs")
    group = hf_tasks.train(from_dict(values))
    assert isinstance(group, FoldRuns) and trained == [1, 2, 2, 3]

    rows = [json.loads(line) for line in (tmp_path / "runs" / "predictions.jsonl").read_text().splitlines()]
    assert [row["where"] for row in rows] == [f"{tmp_path}/rows.jsonl:{line}" for line in range(1, 31)]
    assert np.bincount([row["fold"] for row in rows]).tolist() == [0, 10, 10, 10]
    right = [row["label"] == label for row, label in zip(rows, LABELS, strict=True)]
    pooled, spread = group.results["pooled"], group.results["test"]["accuracy"]
    assert (pooled["n"], pooled["accuracy"]) == (30, pytest.approx(np.mean(right)))
    assert pooled["accuracy"] == pytest.approx(spread["mean"])
    assert spread["values"] == [one.results["test"]["accuracy"] for one in group.runs.values()]
    assert spread["interval"] is None and len(pooled["intervals"]["accuracy"]) == 2
    for one in group.runs.values():
        assert (one.results["data"]["train"]["examples"], one.results["data"]["validation"]["examples"]) == (18, 2)
        assert one.recipe.task.traits.class_labels == ("no", "yes")

    lines = list(group.lines())
    assert lines[0] == "test, folds 1, 2, 3"
    assert lines[1].split() == ["metric", "mean", "std", "min", "max", *["fold", "1", "fold", "2", "fold", "3"]]
    assert "all folds together: 30 examples, each predicted by the run that did not train on it" in lines
    assert listing.listed(tmp_path)[0].score.endswith("(3 folds)")
    capsys.readouterr()
    runs.evaluate(str(group.path))
    assert capsys.readouterr().out.splitlines()[0] == "test, folds 1, 2, 3"
    assert "rows.jsonl:" in report(group.runs[2]).read_text(encoding="utf-8")

    publishing.report(str(group.path))
    page = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    wrong = len(right) - sum(right)
    assert f"{wrong} of 30 predictions are wrong." in page and f"rows.jsonl:{right.index(False) + 1}" in page
    publishing.card(str(group.path), write=True)
    card = (group.path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny: 3 folds\n\nTask: text-classification. Base model: ")
    assert f"| accuracy | {pooled['accuracy']:.4f} | " in card and "| 3 | fold-3 | 1 | " in card
    with pytest.raises(RunError, match="--check: checks the card of one run; name it, e.g. .*/fold-1$"):
        publishing.card(str(group.path), check=True)

    monkeypatch.setattr(Run, "predict_split", None)  # the stored predictions are compared
    found = compare(group, group)
    assert (found.n, found.changed, {test.p for test in found.tests}) == (30, (), {1.0})
    rows_file = tmp_path / "rows.jsonl"
    rows_file.write_text(rows_file.read_text().replace("good", "great"))
    with pytest.raises(RunError, match="fold-1: its data or predictions have changed since the training; restore"):
        group.out_of_fold()


def test_a_fold_is_an_ordinary_training(values: dict[str, Any]) -> None:
    recipe = FoldRuns(Path("runs")).recipe_of(from_dict(values), 2)
    assert (recipe.data.fold, recipe.data.folds, recipe.data.test) == (2, 3, None)
    assert str(recipe.output_dir) == "runs/fold-2" and not recipe.is_several


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1, 2]}, "seeds: cannot be combined with data.folds; remove one of the two"),
        ({"data": {"folds": 3, "fold": 4}}, "data.fold: 4 is not a number from 1 to data.folds; lower it, or give "
         "data.folds"),
        ({"data": {"folds": 3, "fold": 1, "test": "x"}}, "data.test: the fold is the test split; remove one of the "
         "two"),
        ({"hub": {"repo_id": "org/x"}}, "hub: there is a run for each fold; remove it, and push a run that is trained "
         "on all data"),
    ],
)  # fmt: skip
def test_folds_that_cannot_be(values: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    data = {"train": values["data"]["train"], **changes.get("data", {"folds": 3})}
    with pytest.raises(RecipeError) as e:
        from_dict(values | changes | {"data": data})
    assert str(e.value) == f"recipe: {message}"


def test_one_training_alone_takes_no_folds(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"^data.folds: only one run can be trained here; remove it, or write the"):
        train(from_dict(values))


def test_groups_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "fold-1").mkdir()
    (tmp_path / "fold-1" / "recipe.yaml").write_text("name: x")
    with pytest.raises(RunError, match=r"contains the runs of several folds; name one of them, e.g. .*/fold-1$"):
        Run.load(tmp_path)
    with pytest.raises(RunError, match=r"contains fold-1, which is not a run of a seed; choose another --output-dir$"):
        SeedRuns(tmp_path).check_free()
    FoldRuns(tmp_path).check_free()
    spread = {"f1": {"mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5, "interval": None, "values": [0.5, 0.5]}}
    written = {"folds": [1, 2], "test": spread, "pooled": {"n": 4, "f1": 0.5}}
    (tmp_path / "folds.json").write_text(json.dumps(written), encoding="utf-8")
    group = FoldRuns.load(tmp_path)
    assert repr(group) == f"<FoldRuns {tmp_path}: 2 folds>"
    assert group.to_frame().to_dict("records") == [
        {"split": "test", "metric": "f1", "mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5, "fold 1": 0.5, "fold 2": 0.5}
    ]
    assert "<td>0.5000</td>" in group._repr_html_()
    (tmp_path / "predictions.jsonl").write_text('{"where": "t.csv:2", "fold": 2, "label": "a", "score": 0.5}\n')
    assert group.predictions.to_frame().loc[0].to_dict() == {"where": "t.csv:2", "fold": 2, "label": "a", "score": 0.5}
    monkeypatch.setattr(hf_tasks, "train", lambda *_, **__: group)
    training.train("recipe.yaml")
    assert capsys.readouterr().out.splitlines() == [
        "",
        "test, folds 1, 2",
        "  metric                      mean       std       min       max    fold 1    fold 2",
        "  f1                        0.5000    0.0000    0.5000    0.5000    0.5000    0.5000",
        "all folds together: 4 examples, each predicted by the run that did not train on it",
        "  n                      4",
        "  f1                     0.5000",
        f"The runs are in {tmp_path}",
    ]
