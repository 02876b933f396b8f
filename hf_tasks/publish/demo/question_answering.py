"""The demo of question answering: the answer, its place in the context, and the next best answers."""

from typing import Any

import gradio as gr

from hf_tasks.publish.demo.form import Form, large, listing, result
from hf_tasks.publish.demo.token_classification import marked
from hf_tasks.runs.run import Run
from hf_tasks.tasks import QuestionAnswering
from hf_tasks.tasks.types import Prediction, RawRow

NO_ANSWER = "(no answer in the context)"
COLORS = {"answer": "green"}
SHOWN = 5
"""Number of answers that are listed."""


def form(run: Run) -> Form:
    task = run.recipe.task
    assert isinstance(task, QuestionAnswering)
    columns = {
        "question": gr.Textbox(label="Question", render=False),
        "context": gr.Textbox(label="Context", lines=8, render=False),
    }
    outputs = [
        result("Answer"),
        gr.HighlightedText(label="Answer in context", color_map=COLORS, elem_classes="marked", render=False),
        listing("Best answers", {"Answer": "75%", "Probability": "25%"}),
    ]
    return Form({name: columns[name] for name in task.traits.inputs}, outputs, lambda row: run.predict([row])[0], _show)


def _show(row: RawRow, prediction: Prediction) -> list[Any]:
    answer, span = prediction["answer"], (prediction["start"], prediction["end"], "answer")
    best = [[one["text"] or NO_ANSWER, f"{one['probability']:.3f}"] for one in prediction["nbest"][:SHOWN]]
    found = large(answer or NO_ANSWER) + f'<p class="note">probability {prediction["score"]:.3f}</p>'
    return [found, marked(row["context"], [span] if answer else []), best]
