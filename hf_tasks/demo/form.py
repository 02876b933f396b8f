"""What the page of a task is made of: fields to fill in, what is shown, and how one becomes the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradio.components import Component

from hf_tasks.tasks.base import Row


@dataclass(frozen=True)
class Form:
    """The components are not rendered yet: the page lays them out."""

    columns: dict[str, Component]
    """The fields of a row, by the task's canonical columns."""
    outputs: Sequence[Component]
    predict: Callable[..., Row]
    """(row, *values of `choices`) -> prediction. Raises UserError."""
    show: Callable[[Row, Row], list[Any]]
    """(row, prediction) -> the values of `outputs`."""
    choices: Sequence[Component] = ()
    """How it is predicted, where people can choose."""
