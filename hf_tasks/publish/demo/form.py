"""What the page of a task is made of: fields to fill in, what is shown, and how one becomes the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import escape

from hf_tasks.tasks.types import Prediction, RawRow


@dataclass(frozen=True)
class Form:
    """The components are not rendered yet: the page lays them out."""

    columns: dict[str, gr.Textbox]
    """The fields of a row, by the task's canonical columns."""
    outputs: Sequence[Component]
    predict: Callable[..., Prediction]
    """(row, *values of `choices`) -> prediction. Raises UserError."""
    show: Callable[[RawRow, Prediction], list[Any]]
    """(row, prediction) -> the values of `outputs`."""
    choices: Sequence[Any] = ()
    """How it is predicted, where people can choose."""


def result(label: str) -> gr.HTML:
    """Where the answer stands, large; filled with `large`."""
    return gr.HTML(label=label, show_label=True, container=True, padding=True, render=False)


def large(text: str) -> str:
    """HTML that shows a text and does nothing else."""
    return f'<p class="result">{escape(text)}</p>'


def listing(label: str, columns: dict[str, str], **options: Any) -> gr.Dataframe:
    """A table of texts; `columns`: header -> width."""
    return gr.Dataframe(
        label=label, headers=list(columns), column_widths=list(columns.values()), interactive=False, wrap=True,
        elem_classes="listing", render=False, **options,
    )  # fmt: skip
