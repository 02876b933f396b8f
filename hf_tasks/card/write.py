"""The card of a run's directory: made, or renewed where people have written in it."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks.card.blocks import FRONT, blocks, metadata, renewed
from hf_tasks.card.metadata import license
from hf_tasks.card.pictures import CURVE, LAYERS, draw
from hf_tasks.card.pictures import FOLDER as PICTURES
from hf_tasks.card.render import render
from hf_tasks.card.usage import MODEL_ID
from hf_tasks.core.untrusted import as_written, read_text
from hf_tasks.errors import RunError
from hf_tasks.models.origin import LICENSE
from hf_tasks.runs.contained import check_inside
from hf_tasks.show import printable

if TYPE_CHECKING:
    from hf_tasks.run import Run

FILE = "README.md"
LARGEST_CARD = 1 << 20
"""Bytes."""
MARKS = re.compile(r"^<!-- hf_tasks:.*-->$|^</?details>(<summary>)?|</summary>$", re.MULTILINE)
"""What a page in a browser hides, and a terminal would show."""


def text(run: "Run", model_id: str = MODEL_ID) -> str:
    """The card of a run, its generated parts new, what people wrote in README.md kept.

    Raises RunError where README.md has no generated parts, or metadata that are not YAML, RecipeError for a template
    that cannot be used.
    """
    file = run.path / FILE
    if not file.is_file():
        return generated(run, model_id)
    edited = read_card(file)
    if not blocks(edited):
        raise RunError(f"{file}: has no generated parts that could be renewed; move it away, and write the card again")
    try:
        return renewed(edited, generated(run, model_id, edited))
    except ValueError as e:
        raise RunError(f"{file}: its metadata cannot be read: {e}; mend them") from None


def generated(run: "Run", model_id: str = MODEL_ID, edited: str = "") -> str:
    """The card that recipe and results give; the licence is that of the metadata of `edited`, a card in which people
    have written. ValueError where these cannot be read."""
    stated, recipe = metadata(edited).get("license"), run.recipe
    with as_written(run.path / "results.json"):
        if isinstance(stated, str) and LICENSE.fullmatch(stated) and stated != license(recipe, run.results):
            recipe = recipe.model_copy(update={"card": recipe.card.model_copy(update={"license": stated})})
        return render(recipe, run.results, model_id=model_id, folder=run.recipe_folder)


def read_card(file: Path) -> str:
    """The text of a card. Raises RunError."""
    try:
        return read_text(file, LARGEST_CARD)
    except (OSError, ValueError) as e:
        raise RunError(f"{file}: cannot be read: {e}; mend the file or move it away") from None


def write(run: "Run", model_id: str = MODEL_ID) -> Path:
    """Write the card and its pictures into the run; its path. Raises as `text` does."""
    for name in (FILE, f"{PICTURES}/{CURVE}", f"{PICTURES}/{LAYERS}"):
        check_inside(run.path, run.path / name)
    content = text(run, model_id)
    with as_written(run.path / "results.json"):
        draw(run.results, run.path)
    (run.path / FILE).write_text(content, encoding="utf-8")
    return run.path / FILE


def show(card: str) -> None:
    """Print a card: laid out on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        print(printable(card))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    metadata = FRONT.match(card)
    front = f"```yaml\n{metadata[1]}```\n\n" if metadata else ""
    Console().print(Markdown(front + MARKS.sub("", FRONT.sub("", card, count=1))))
