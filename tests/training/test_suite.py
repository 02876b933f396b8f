"""Suites: recipes by methods as one resumable job, one table, the leaderboard's average, the submission."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten
from typer.testing import CliRunner

from hf_tasks import RecipeError, RunError
from hf_tasks.cli import app
from hf_tasks.core.shipped import FOLDER
from hf_tasks.core.signals import Interrupted
from hf_tasks.training import suite as suites
from hf_tasks.training.suite.scores import Score, ScoreLine, average
from hf_tasks.training.suite.section import SubmissionFile, Suite, load
from hf_tasks.training.suite.submission import as_tsv
from hf_tasks.training.suite.tables import as_csv, markdown

BERT_LARGE = {
    "CoLA": {"mcc": 60.5}, "SST-2": {"accuracy": 94.9}, "MRPC": {"f1": 89.3, "accuracy": 85.4},
    "STS-B": {"pearson": 87.6, "spearman": 86.5}, "QQP": {"f1": 72.1, "accuracy": 89.3},
    "MNLI-m": {"accuracy": 86.7}, "MNLI-mm": {"accuracy": 85.9}, "QNLI": {"accuracy": 92.7},
    "RTE": {"accuracy": 70.1}, "WNLI": {"accuracy": 65.1},
}  # fmt: skip
"""The row of BERT-large on GLUE's leaderboard."""


def of_scores(rows: dict[str, dict[str, float | None]], groups: dict[str, str]) -> float | None:
    suite = Suite.model_validate(
        {"name": "x", "rows": {name: {"recipe": "r", "metrics": tuple(values), "group": groups.get(name, "")}
                               for name, values in rows.items()}}
    )  # fmt: skip
    lines = [
        ScoreLine(name, metric, "test", {"score": None if value is None else Score(value, None, None, (value,))})
        for name, values in rows.items()
        for metric, value in values.items()
    ]
    return average(suite, lines, "score")


def test_averages_of_one_system_by_three_definitions() -> None:
    mnli = {"MNLI-m": "MNLI", "MNLI-mm": "MNLI"}
    assert of_scores(BERT_LARGE, mnli) == pytest.approx(80.52, abs=0.005)  # the leaderboard's
    first = {"MRPC": "f1", "STS-B": "spearman", "QQP": "f1"}
    of_paper = {name: {metric: value for metric, value in values.items() if metric == first.get(name, metric)}
                for name, values in BERT_LARGE.items() if name != "WNLI"}  # fmt: skip
    assert of_scores(of_paper, {}) == pytest.approx(82.08, abs=0.005)  # nine numbers, without WNLI
    assert of_scores(BERT_LARGE, {}) == pytest.approx(81.1, abs=0.05)  # ten terms


@pytest.mark.parametrize("absent", [{"RTE": {"accuracy": None}}, {"MRPC": {"f1": 89.3, "accuracy": None}}])
def test_there_is_no_average_of_fewer_tasks(absent: dict[str, Any]) -> None:
    assert of_scores(BERT_LARGE | absent, {}) is None


def test_predictions_as_the_leaderboard_reads_them() -> None:
    assert as_tsv([5.3, -0.2, 3.14159], SubmissionFile(file="x", clip=(0, 5))) == (
        "index\tprediction\n0\t5.000\n1\t0.000\n2\t3.142\n"
    )
    assert as_tsv(["b", "a", "c"], SubmissionFile(file="x", labels={"a": "0", "b": "1"})) == (
        "index\tprediction\n0\t1\n1\t0\n2\tc\n"
    )


def test_the_shipped_suite_has_the_files_of_the_leaderboard() -> None:
    suite = load(FOLDER / "suites" / "glue.yaml")
    names = [name for row in suite.rows.values() for name in row.test]
    assert sorted(names) == sorted(
        ["CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI-m", "MNLI-mm", "QNLI", "RTE", "WNLI", "AX"]
    )
    assert len(suite.rows) == 9 and all((FOLDER / f"{row.recipe}.yaml").is_file() for row in suite.rows.values())


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two recipes and a suite of them."""
    hasten(monkeypatch)
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"a {('good', 'bad')[i % 2]} film {i},{i % 2}\n" for i in range(24))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (tmp_path / "test.tsv").write_text("sentence\na good film\na bad film\n", encoding="utf-8")
    recipe = {
        "task": {"name": "text-classification", "labels": ["good", "bad"], "metrics": ["accuracy", "per_class"]},
        "data": {"train": "rows.csv", "validation": "rows.csv"}, "model": {"name_or_path": str(tiny("bert"))},
        "training": {"max_steps": 1, "batch_size": 8, "bf16": False},
    }  # fmt: skip
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({"name": name, **recipe}), encoding="utf-8")
    test = {"T": {"file": "test.tsv", "columns": {"text": "sentence"}, "labels": {"good": "0", "bad": "1"}}}
    values = {
        "name": "both",
        "rows": {
            "one": {"recipe": "one.yaml", "metrics": ["accuracy", "per_class.bad.f1"], "test": test},
            "2": {"recipe": "two.yaml"},
        },
        "columns": {"full": {}, "frozen": {"method.name": "frozen"}},
    }
    (tmp_path / "suite.yaml").write_text(json.dumps(values), encoding="utf-8")
    return tmp_path


def test_a_suite_goes_on_after_an_interruption(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_tasks import training

    train, trained = training.train, list[str]()

    def interrupted(recipe: Any, **options: Any) -> Any:
        if len(trained) == 3:
            raise Interrupted(15, "stopped")
        trained.append(str(recipe.output_dir))
        return train(recipe, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", interrupted)
        with pytest.raises(Interrupted):
            suites.run("suite.yaml")
    assert trained == ["suites/both/full/one", "suites/both/frozen/one", "suites/both/full/2"]
    written = (folder / "suites" / "both" / "suite.md").read_text(encoding="utf-8")
    assert "| average |  |  | " in written and written.count("–") == 2  # the score and the average of the last column
    before = {path: path.stat().st_mtime_ns for path in folder.glob("suites/both/*/*/results.json")}
    found = CliRunner().invoke(app, ["suite", "suite.yaml", "--submission", "."])
    assert found.exit_code == 0, found.exception
    assert all(path.stat().st_mtime_ns == time for path, time in before.items()) and len(before) == 3
    _check_table(found.stdout, folder / "suites" / "both")


def _check_table(shown: str, folder: Path) -> None:
    header, *lines = [line.split() for line in shown.splitlines()[:5]]
    assert header == ["task", "metric", "split", "full", "frozen"]
    assert [line[:3] for line in lines[:3]] == [
        ["one", "accuracy", "validation"], ["one", "per_class.bad.f1", "validation"], ["2", "accuracy", "validation"],
    ]  # fmt: skip
    one, two = ([_results(folder / column / row) for column in ("full", "frozen")] for row in ("one", "2"))
    expected = [
        ((a["accuracy"] + a["per_class"]["bad"]["f1"]) / 2 + b["accuracy"]) / 2 for a, b in zip(one, two, strict=True)
    ]
    assert lines[3] == ["average", *(f"{value:.4f}" for value in expected)]
    assert '<mark class="best"' in (folder / "suite.html").read_text(encoding="utf-8")
    table = (folder / "suite.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "row,metric,split,column,value,low,high,std,runs,best,within_chance" and len(table) == 9
    with zipfile.ZipFile(folder / "submission-full.zip") as archive:
        assert archive.namelist() == ["T.tsv"] and archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
        text = archive.read("T.tsv").decode()
    assert re.fullmatch(r"index\tprediction\n0\t[01]\n1\t[01]\n", text)


def _results(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "results.json").read_text(encoding="utf-8"))["validation"])


def test_marks_and_missing_scores() -> None:
    near = Score(0.8, (0.7, 0.9), None, (0.8,), is_near=True)
    best = Score(0.9, (0.8, 1.0), None, (0.9,), is_best=True)
    suite = Suite.model_validate(
        {"name": "x", "rows": {"a": {"recipe": "r"}, "b": {"recipe": "r"}}, "columns": {"A": {}, "B": {}}}
    )
    lines = [ScoreLine("a", "f1", "test", {"A": near, "B": best}), ScoreLine("b", "f1", "test", {"A": best, "B": None})]
    assert markdown(suite, lines).splitlines()[2:5] == [
        "| a | f1 | test | 0.8000 [0.7000, 0.9000] ≈ | **0.9000 [0.8000, 1.0000]** |",
        "| b | f1 | test | **0.9000 [0.8000, 1.0000]** | – |",
        "| average |  |  | 0.8500 | – |",
    ]
    assert as_csv(suite, lines).splitlines()[1:3] == [
        "a,f1,test,A,0.8,0.7,0.9,,1,0,1",
        "a,f1,test,B,0.9,0.8,1.0,,1,1,0",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "rows": {"a": {"recpe": "r"}}}, "s.yaml:1: rows.a.recpe: unknown key"),
        ({"name": "x", "rows": {"a b": {"recipe": "r"}}}, "s.yaml:1: rows.a b: names a folder; use letters, digits"),
        (
            {"name": "x", "rows": {"a": {"recipe": "quickstrat"}}},
            "row a, column score: quickstrat: there is no such file",
        ),
    ],
)
def test_a_wrong_suite_is_refused_before_training(tmp_path: Path, values: Any, message: str) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        suites.run(tmp_path / "s.yaml", output_dir=tmp_path / "out")
    assert message in str(error.value)


def test_missing_suites_trainings_and_test_files(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"gleu: there is no such file and no shipped suite .*\(shipped: glue\)"):
        suites.run("gleu")
    untrained = suites.SuiteRuns(load(folder / "suite.yaml"), [], folder)
    with pytest.raises(RunError, match="one: is not trained, so there is no submission"):
        suites.submit(untrained, folder)
    with pytest.raises(RunError, match="test.tsv: there is no such test file"):
        suites.submit(untrained, folder / "elsewhere")
    with pytest.raises(RunError, match="no row of both has a key `test`"):
        suites.submit(suites.SuiteRuns(load(folder / "suite.yaml", ["rows.one.test={}"]), [], folder), folder)
