"""The page of question answering: the answer, where it stands in the context, and the next best ones."""

from typing import Any

import gradio as gr

from hf_tasks.demo.form import Form
from hf_tasks.demo.token_classification import marked
from hf_tasks.run import Run
from hf_tasks.tasks import QuestionAnswering
from hf_tasks.tasks.base import Row

NO_ANSWER = "(no answer in the context)"
SHOWN = 5
"""Answers that are listed."""


def form(run: Run, task: QuestionAnswering) -> Form:
    columns = {
        "question": gr.Textbox(label="Question", render=False),
        "context": gr.Textbox(label="Context", lines=8, render=False),
    }
    outputs = [
        gr.Label(label="Answer", num_top_classes=1, render=False),
        gr.HighlightedText(label="Context", color_map={"answer": "green"}, render=False),
        gr.Dataframe(
            label="Best answers", headers=["Answer", "Probability"], interactive=False, wrap=True, render=False
        ),
    ]
    return Form({name: columns[name] for name in task.usage()}, outputs, lambda row: run.predict([row])[0], _show)


def _show(row: Row, prediction: Row) -> list[Any]:
    span = [(prediction["start"], prediction["end"], "answer")] if prediction["answer"] else []
    best = [[one["text"] or NO_ANSWER, f"{one['probability']:.3f}"] for one in prediction["nbest"][:SHOWN]]
    return [{prediction["answer"] or NO_ANSWER: prediction["score"]}, marked(row["context"], span), best]
