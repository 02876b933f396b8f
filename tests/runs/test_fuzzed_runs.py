"""Every key of a run's files with values of other types; `fuzz.py` tries all pairs of them on any run."""

import json
from pathlib import Path

import fuzz
import pytest
from conftest import Tiny, hasten

import hf_tasks
from hf_tasks.core.errors import RunError
from hf_tasks.publish.report import report
from hf_tasks.recipe import from_dict
from hf_tasks.runs.run import Run


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps without its manifest."""
    folder = tmp_path_factory.mktemp("fuzzed")
    rows = [{"text": f"a {('good', 'bad')[i % 2]} film", "label": ("good", "bad")[i % 2]} for i in range(8)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sections = {
        "name": "x",
        "task": {"name": "text-classification"},
        "data": {"train": str(folder / "rows.jsonl"), "test": str(folder / "rows.jsonl"), "validation_size": 0},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": {"max_steps": 2, "output_dir": str(folder / "run")},
    }
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        patch.setattr(fuzz, "report", lambda run, _: run.path / "recipe.yaml")  # has tests of its own
        hf_tasks.train(from_dict(sections))
        yield fuzz.prepared(folder / "run", folder / "copy")


def test_no_value_breaks_a_card_or_becomes_markup(run: Path) -> None:
    every = list(fuzz.cases(run))
    some = every[::29]  # each value at some keys
    found = [fuzz.outcome(run, *case) for case in some]
    assert len(some) > 60
    assert {repr(new)[:20] for *_, new in some} == {repr(new)[:20] for new in fuzz.VALUES}
    assert 0.2 < sum(one == "made" for one in found) / len(found) < 0.8


def test_rows_of_other_kinds_are_named_by_the_report(run: Path) -> None:
    """A damaged log is an error; without predictions the report says what is missing."""
    log, predictions = (run / name for name in ("training_log.jsonl", "predictions/test.jsonl"))
    rows = fuzz.load(predictions)
    fuzz.save(predictions, fuzz.damaged(rows, (1, "score"), fuzz.MARKUP))
    page = report(Run.load(run), run / "report.html").read_text(encoding="utf-8")
    fuzz.save(predictions, rows)
    assert f"No examples of test are shown: {predictions}:2: score: input should be a valid number" in page
    assert "<script>" not in page
    fuzz.save(log, [{"step": "1"}])
    with pytest.raises(RunError, match="training_log.jsonl:1: step: input should be a valid integer, found '1'"):
        report(Run.load(run), run / "report.html")
