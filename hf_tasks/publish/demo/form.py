"""The form of a demo: input fields, outputs, and the functions between them; and the generic form of any task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import escape

from hf_tasks.runs.run import Run
from hf_tasks.tasks.types import Prediction, RawRow


@dataclass(frozen=True)
class Form:
    """The inputs and outputs of a page. The components are not rendered yet; the page lays them out."""

    columns: dict[str, gr.Textbox]
    """The input fields by canonical column."""
    outputs: Sequence[Component]
    predict: Callable[..., Prediction]
    """(row, *values of `choices`) -> prediction. Raises UserError."""
    show: Callable[[RawRow, Prediction], list[Any]]
    """(row, prediction) -> the values of `outputs`."""
    choices: Sequence[Any] = ()
    """Fields with options of the prediction, if the task has any."""


def result(label: str) -> gr.HTML:
    """The output for the main result; its value is made by `large`."""
    return gr.HTML(label=label, show_label=True, container=True, padding=True, render=False)


def large(text: str) -> str:
    """A text as HTML, escaped."""
    return f'<p class="result">{escape(text)}</p>'


def listing(label: str, columns: dict[str, str], **options: Any) -> gr.Dataframe:
    """A read-only table of texts; `columns`: header -> width."""
    return gr.Dataframe(
        label=label, headers=list(columns), column_widths=list(columns.values()), interactive=False, wrap=True,
        elem_classes="listing", render=False, **options,
    )  # fmt: skip


def generic(run: Run) -> Form:
    """The form of any task: a text field for each input, and the prediction as JSON."""
    inputs = run.recipe.task.traits.inputs
    columns = {name: gr.Textbox(label=name.replace("_", " ").capitalize(), lines=3, render=False) for name in inputs}
    output = gr.JSON(label="Prediction", render=False)
    return Form(columns, [output], lambda row: run.predict([row])[0], lambda _, prediction: [prediction])
