"""The demo of text classification: label probabilities, labels above their threshold, or a number on its scale."""

from pathlib import Path
from typing import Any

import gradio as gr

from hf_tasks.publish.demo.form import Form, large, listing, result
from hf_tasks.runs import json_files
from hf_tasks.runs.run import Run
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.types import Prediction, RawRow

SHOWN = 5
"""Number of labels whose probability is shown, the highest ones."""
TITLES = {"text": "Text", "text_pair": "Second text"}


def form(run: Run) -> Form:
    task = run.recipe.task
    assert isinstance(task, TextClassification)
    columns = {name: gr.Textbox(label=TITLES[name], lines=3, render=False) for name in task.traits.inputs}

    def predict(row: RawRow) -> Prediction:
        return run.predict([row])[0]  # type: ignore[no-any-return]

    match task.problem_type:
        case "single_label_classification":
            probabilities = gr.Label(label="Probabilities", num_top_classes=SHOWN, show_heading=False, render=False)
            return Form(columns, [result("Label"), probabilities], predict, _label)
        case "multi_label_classification":
            table = listing(
                "All labels", {"Label": "36%", "Probability": "25%", "Threshold": "23%", "Predicted": "16%"}
            )
            return Form(columns, [result("Labels"), table], predict, lambda _, found: _labels(task, found))
        case _:
            scale = scale_of(run)
            return Form(columns, [result("Score")], predict, lambda _, found: [number(found["score"], scale)])


def _label(_: RawRow, prediction: Prediction) -> list[Any]:
    return [large(prediction["label"]), prediction["probabilities"]]


def _labels(task: TextClassification, prediction: Prediction) -> list[Any]:
    given, ranked = prediction["labels"], sorted(prediction["probabilities"].items(), key=lambda item: -item[1])
    rows = [
        [label, f"{p:.3f}", f"{task.threshold_of(label):.3f}", "yes" if label in given else "no"] for label, p in ranked
    ]
    return [large(", ".join(given) or "(none)"), rows]


def scale_of(run: Run) -> tuple[float, float] | None:
    """The lowest and highest stored prediction of the run; None without stored predictions."""
    files = sorted(Path(run.path, "predictions").glob("*.jsonl"))
    scores = [row["score"] for file in files for row in json_files.read_rows(file) if "score" in row]
    return (min(scores), max(scores)) if scores and min(scores) < max(scores) else None


def number(score: float, scale: tuple[float, float] | None) -> str:
    """A score and its place on a scale, as HTML."""
    if scale is None:
        return large(f"{score:.3f}")
    low, high = scale
    meter = f'<meter min="{low:.3f}" max="{high:.3f}" value="{score:.3f}"></meter>'
    ends = f'<p class="ends"><span>{low:.2f}</span><span>{high:.2f}</span></p>'
    note = "<p>The scale runs from the lowest to the highest prediction on the evaluated splits.</p>"
    return large(f"{score:.3f}") + meter + ends + note
