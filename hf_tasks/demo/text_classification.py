"""The page of text classification: probabilities of labels; labels above a threshold; or a number on its scale."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from hf_tasks.demo.form import Form
from hf_tasks.run import Run
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.base import Row

SHOWN = 5
"""Labels with their probabilities, the highest ones."""
TITLES = {"text": "Text", "text_pair": "Second text"}


def form(run: Run, task: TextClassification) -> Form:
    columns = {name: gr.Textbox(label=TITLES[name], lines=3, render=False) for name in task.usage()}
    outputs, show = _shown(run, task)
    return Form(columns, outputs, lambda row: run.predict([row])[0], show)


def _shown(run: Run, task: TextClassification) -> tuple[list[Any], Any]:
    match task.problem_type:
        case "single_label_classification":
            return [gr.Label(label="Label", num_top_classes=SHOWN, render=False)], _probabilities
        case "multi_label_classification":
            return _several_outputs(), _several
        case _:
            scale = scale_of(run)
            return [gr.HTML(label="Score", render=False)], lambda _, prediction: [_number(prediction["score"], scale)]


def _probabilities(_: Row, prediction: Row) -> list[Any]:
    return [prediction["probabilities"]]


def _several_outputs() -> list[Any]:
    headers = ["Label", "Probability", "Predicted"]
    return [
        gr.Textbox(label="Labels", interactive=False, render=False),
        gr.Dataframe(label="All labels", headers=headers, interactive=False, wrap=True, render=False),
    ]


def _several(_: Row, prediction: Row) -> list[Any]:
    chosen, ranked = prediction["labels"], sorted(prediction["probabilities"].items(), key=lambda item: -item[1])
    rows = [[label, f"{p:.3f}", "yes" if label in chosen else ""] for label, p in ranked]
    return [", ".join(chosen) or "(none)", rows]


def scale_of(run: Run) -> tuple[float, float] | None:
    """The lowest and highest score that the run predicted of its measured parts; None where that was not kept."""
    files = sorted(Path(run.path, "predictions").glob("*.jsonl"))
    scores = [json.loads(line)["score"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return (min(scores), max(scores)) if scores and min(scores) < max(scores) else None


def _number(score: float, scale: tuple[float, float] | None) -> str:
    """HTML of numbers alone."""
    number = f'<p class="score">{score:.3f}</p>'
    if scale is None:
        return number
    low, high = scale
    meter = f'<meter min="{low:.3f}" max="{high:.3f}" value="{score:.3f}"></meter>'
    return f"{number}{meter}<p>Of the measured examples, the lowest score was {low:.2f}, the highest {high:.2f}.</p>"
