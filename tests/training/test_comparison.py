"""Tables of several runs: exact text in every format."""

from pathlib import Path

import pytest

from hf_tasks.core.errors import RunError
from hf_tasks.training import comparison
from hf_tasks.training.comparison import RecordedScores

FACTS = {"test": {"files": {"a.csv": "1"}, "rows_sha256": "x"}}


def runs(monkeypatch: pytest.MonkeyPatch, **changes: RecordedScores) -> list[list[str]]:
    known = {
        "a": RecordedScores("a", "t", {"accuracy": (0.5, None), "loss": (1.25, None), "ece": (0.1, None)}, FACTS, 1),
        "b_1": RecordedScores("b_1", "t", {"accuracy": (0.75, 0.125), "loss": (1.0, 0.0)}, FACTS, 3, "seed"),
    } | changes
    monkeypatch.setattr(comparison, "measured", lambda path, split: known[path])
    return comparison.rows(list(known), "test")


def test_every_format(monkeypatch: pytest.MonkeyPatch) -> None:
    table = runs(monkeypatch)
    assert comparison.as_text(table) == (
        "run  seeds  accuracy         loss\na    1      0.5000           1.2500\n"
        "b_1  3      0.7500 ± 0.1250  1.0000 ± 0.0000\n"
    )
    assert comparison.as_markdown(table) == (
        "| run | seeds | accuracy | loss |\n| --- | ---: | ---: | ---: |\n| a | 1 | 0.5000 | 1.2500 |\n"
        "| b_1 | 3 | 0.7500 ± 0.1250 | 1.0000 ± 0.0000 |\n"
    )
    assert comparison.as_csv(table) == (
        "run,seeds,accuracy,accuracy_std,loss,loss_std\na,1,0.5000,,1.2500,\nb_1,3,0.7500,0.1250,1.0000,0.0000\n"
    )
    assert comparison.as_latex(table) == (
        "\\begin{tabular}{lrrr}\n\\toprule\nrun & seeds & accuracy & loss \\\\\n\\midrule\n"
        "a & 1 & 0.5000 & 1.2500 \\\\\n"
        "b\\_1 & 3 & 0.7500 $\\pm$ 0.1250 & 1.0000 $\\pm$ 0.0000 \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


@pytest.mark.parametrize(
    "task, facts, message",
    [
        ("u", FACTS, "c: its task is u, not t; compare runs of one task"),
        ("t", {"test": {"files": {"b.csv": "2"}}}, "c: its test data are not those of a (b.csv)"),
    ],
)
def test_runs_that_cannot_be_compared(
    monkeypatch: pytest.MonkeyPatch, task: str, facts: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=message.replace("(", r"\(").replace(")", r"\)")):
        runs(monkeypatch, c=RecordedScores("c", task, {"accuracy": (1.0, None)}, facts, 1))


def test_another_ending(tmp_path: Path) -> None:
    with pytest.raises(RunError) as e:
        comparison.write([["run"]], tmp_path / "t.xls")
    assert str(e.value).endswith(
        "t.xls: a table of runs is written as .md, .csv, .tex, .txt; give the file such an ending"
    )
