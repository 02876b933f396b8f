"""A task without a view of its own: its run has a card, a report and a demo."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_tasks.publish.report import report
from hf_tasks.publish.views import VIEWS, View, view_of
from hf_tasks.runs.run import Run
from hf_tasks.tasks import MultipleChoice, TextClassification


@pytest.fixture
def run(trained: Callable[[str], Run]) -> Run:
    return trained("choice")


def test_the_view_is_that_of_any_task(run: Run) -> None:
    assert MultipleChoice not in VIEWS
    assert type(view_of(run.recipe.task)) is View
    assert type(view_of(TextClassification(name="text-classification"))) is not View


def test_the_run_and_its_card(run: Run) -> None:
    assert run.results["test"]["n"] == 9
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: multiple-choice" in card
    assert 'choices=["rome", "the queen"]' in card
    assert "from transformers import AutoModelForMultipleChoice, AutoTokenizer" in card
    found = run.predict(context="mary lives in paris", question="where", choices=["paris", "rome", "london", "a bank"])
    assert len(found["probabilities"]) == 4


def test_the_report_shows_predictions_beside_references(run: Run, tmp_path: Path) -> None:
    page = report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    predictions = (run.path / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    right = sum(json.loads(line)["label"] == 0 for line in predictions)
    assert f"<dt>equal to the reference</dt><dd>{right}</dd>" in page
    assert "rome | the queen" in page


def test_the_demo_has_a_field_for_each_input_and_lines_are_choices(run: Run) -> None:
    pytest.importorskip("gradio")
    from hf_tasks.publish.demo import layout

    form = view_of(run.recipe.task).form(run)
    assert list(form.columns) == ["context", "question", "choices"]
    notice, prediction = layout.responder(run, form)("mary lives in rome", "where", "rome\nparis\nthe river")
    assert not notice["visible"]
    expected = run.predict(context="mary lives in rome", question="where", choices=["rome", "paris", "the river"])
    assert prediction["choice"] == expected["choice"]
    assert prediction["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
    notice, prediction = layout.responder(run, form)("mary", "where", "one")
    assert "; write a list of two or more" in notice["value"]
    assert prediction is None
