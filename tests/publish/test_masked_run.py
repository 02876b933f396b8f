"""A masked language model as `train` wrote it: card, report and demo."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten
from reported import harmless, titles

from hf_tasks.publish.report import report
from hf_tasks.publish.views import view_of
from hf_tasks.recipe import from_dict
from hf_tasks.runs import compare, recompute
from hf_tasks.runs.run import Run
from hf_tasks.training import train

TEXT = "the good film {} and a bad book in paris , where anna and john saw the old king"


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("masked")
    for name, numbers in {"train": range(16), "validation": range(16, 24)}.items():
        (folder / f"{name}.txt").write_text("\n".join(TEXT.format(i) for i in numbers), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        return train(
            from_dict(
                {
                    "name": "masked",
                    "task": {"name": "fill-mask", "max_length": 32, "masking": "words", "mlm_probability": 0.3},
                    "data": {name: str(folder / f"{name}.txt") for name in ("train", "validation")},
                    "model": {"name_or_path": str(tiny("bert"))},
                    "training": {"max_steps": 4, "batch_size": 8, "bf16": False, "output_dir": str(folder / "run")},
                }
            )
        )


def test_its_scores_follow_from_the_counts(run: Run) -> None:
    assert recompute.problems(run) == []
    low, high = run.results["validation"]["intervals"]["perplexity"]
    assert 1 < low < run.metrics["validation"]["perplexity"] < high
    assert run.evaluate(Path(run.recipe.data.validation))["perplexity"] == pytest.approx(  # type: ignore[arg-type]
        run.metrics["validation"]["perplexity"], rel=1e-5
    )


def test_its_card_and_report(run: Run, tmp_path: Path) -> None:
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: fill-mask" in card
    assert "AutoModelForMaskedLM.from_pretrained" in card
    html = report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    harmless(html)
    assert titles(html)[:3] == ["Results", "Texts", "Examples"]
    assert "The highest perplexity" in html


def test_its_demo_fills_masks(run: Run) -> None:
    pytest.importorskip("gradio")
    from hf_tasks.publish.demo import layout

    form = view_of(run.recipe.task).form(run)
    _, prediction = layout.responder(run, form)("the old [MASK]")
    assert prediction["fillings"] == run.predict(["the old [MASK]"])[0]["fillings"]
    assert len(run.predict("the old [MASK]", top=3)["fillings"][0]) == 3


def test_a_run_is_compared_with_itself_on_the_same_masks(run: Run) -> None:
    split = run._inputs(Path(str(run.recipe.data.validation)), labelled=True)
    found = compare.compare(run, run, split)
    assert [test.value for test in found.tests] == ["perplexity", "masked_accuracy"]
    assert all(test.first == test.second for test in found.tests)
    assert not found.changed
