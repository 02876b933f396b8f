"""Card, report and demo of runs that `train` wrote, for every kind of task."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
from reported import harmless, titles
from trained import TASKS, row

from hf_tasks.publish import card
from hf_tasks.publish.card import checks
from hf_tasks.publish.report import report
from hf_tasks.publish.results_view import is_number
from hf_tasks.publish.views import view_of
from hf_tasks.runs.run import Run

Trained = Callable[[str], Run]
SECTIONS = {
    "label": ["Classes", "Probabilities", "Worst errors"], "labels": ["Labels", "Probabilities", "Worst errors"],
    "number": ["Errors", "Worst errors"], "tags": ["Entities", "Worst errors"],
    "answer": ["Answers", "No answer", "Wrong answers"], "translation": ["Texts", "Examples"],
    "search": ["Ranks", "Worst anchors"], "choice": ["Predictions", "Examples"], "completion": ["Texts", "Examples"],
}  # fmt: skip
"""The sections of a report between the results and the suspected label errors, slices, training, data, resources."""
every_kind = pytest.mark.parametrize("kind", TASKS)


@every_kind
def test_it_measured_every_split_and_kept_its_predictions(trained: Trained, kind: str) -> None:
    run = trained(kind)
    for split, n in {"validation": 6, "test": 9}.items():
        assert run.results[split]["n"] == n
        lines = (run.path / "predictions" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == n
    assert [json.loads(line) for line in lines] == run.predict([row(kind, i) for i in range(22, 31)])


@every_kind
def test_its_card_is_true(trained: Trained, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(kind)
    printed: list[str] = []

    def forked(code: str, **_: Any) -> "subprocess.CompletedProcess[str]":
        done = processes.run(["-c", code])
        printed.append(done.stdout)
        return done

    monkeypatch.setattr(checks, "_run", forked)
    assert run.trained_here  # so that the snippets run
    assert card.check(run) == []
    snippets = [code for _, code, _, _ in checks.SNIPPET.findall((run.path / "README.md").read_text(encoding="utf-8"))]
    assert ["import hf_tasks" in code for code in snippets] == [True, False]
    assert [bool(text) for text in printed] == [True, kind != "choice"]  # of choices the second ends with the logits


@every_kind
def test_its_report_shows_its_results(trained: Trained, kind: str, tmp_path: Path) -> None:
    run = trained(kind)
    html = report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    harmless(html)
    found = titles(html)
    assert found[:1] + found[-3:] == ["Results", "Training", "Data", "Resources"]
    assert found[1 : 1 + len(SECTIONS[kind])] == SECTIONS[kind]
    measured = {name for name, value in run.results["test"].items() if is_number(value)} - {"n"}
    assert len(measured) > 1
    for name in measured:
        shown = re.findall(rf'<tr><td>{re.escape(name)}</td><td class="number">([-\d.]+)</td>', html)[:2]
        values = [run.results[split][name] for split in ("validation", "test")]
        assert [float(value) for value in shown] == pytest.approx(values, abs=0.006), name
    assert f"trained-{kind}" in html
    assert str(run.path.parent) not in html


@every_kind
def test_its_demo_gives_the_recorded_prediction(trained: Trained, kind: str) -> None:
    pytest.importorskip("gradio")
    from hf_tasks.publish.demo import layout

    run = trained(kind)
    fields = layout.example(run)
    assert fields is not None
    form = view_of(run.recipe.task).form(run)
    given = {name: "\n".join(value) if isinstance(value, list) else value for name, value in fields.items()}
    options = [choice.value for choice in form.choices]
    prediction, recorded = form.predict(given, *options), run.results["example"]["prediction"]
    same = [name for name in recorded if name in prediction and not isinstance(recorded[name], (float, list, dict))]
    assert {name: prediction[name] for name in same} == {name: recorded[name] for name in same}
    _, *shown = layout.responder(run, form)(*given.values(), *options)
    assert shown == form.show(given, prediction)
