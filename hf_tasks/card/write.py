"""The card of a run's directory: made, or renewed where people have written in it."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks.card.blocks import FRONT, blocks, renewed
from hf_tasks.card.pictures import draw
from hf_tasks.card.render import render
from hf_tasks.card.usage import MODEL_ID
from hf_tasks.errors import RunError

if TYPE_CHECKING:
    from hf_tasks.run import Run

FILE = "README.md"
MARKS = re.compile(r"^<!-- hf_tasks:.*-->$|^</?details>(<summary>)?|</summary>$", re.MULTILINE)
"""What a page in a browser hides, and a terminal would show."""


def text(run: "Run", model_id: str = MODEL_ID) -> str:
    """The card of a run, its generated parts new, what people wrote in README.md kept.

    Raises RunError where README.md has no generated parts, RecipeError for a template that cannot be used.
    """
    generated = render(run.recipe, run.results, model_id=model_id, folder=run.recipe_folder)
    file = run.path / FILE
    if not file.is_file():
        return generated
    edited = file.read_text(encoding="utf-8")
    if not blocks(edited):
        raise RunError(f"{file}: has no generated parts that could be renewed; move it away, and write the card again")
    return renewed(edited, generated)


def write(run: "Run", model_id: str = MODEL_ID) -> Path:
    """Write the card and its pictures into the run; its path. Raises as `text` does."""
    content = text(run, model_id)
    draw(run.results, run.path)
    (run.path / FILE).write_text(content, encoding="utf-8")
    return run.path / FILE


def show(card: str) -> None:
    """Print a card: laid out on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        print(card)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    metadata = FRONT.match(card)
    front = f"```yaml\n{metadata[1]}```\n\n" if metadata else ""
    Console().print(Markdown(front + MARKS.sub("", FRONT.sub("", card, count=1))))
