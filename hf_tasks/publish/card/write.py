"""Writes and updates the card of a run.

Text between `<!-- hf_tasks:begin NAME -->` and `<!-- hf_tasks:end NAME -->` is generated; the rest belongs to the user.
The metadata at the top is shared: our keys are updated, other keys and all comments are kept.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hf_tasks.core.errors import RunError, UserError
from hf_tasks.core.files import write_errors, write_json, write_text
from hf_tasks.core.printable import printable
from hf_tasks.core.terminal import say
from hf_tasks.core.untrusted import malformed_as_run_error, parse_yaml, read_text
from hf_tasks.models.origin import LICENSE
from hf_tasks.publish.card.facts import gather
from hf_tasks.publish.card.metadata import MODEL_ID, license
from hf_tasks.publish.card.render import render
from hf_tasks.publish.plots import CURVE, LAYERS, draw_card
from hf_tasks.publish.plots import FOLDER as PICTURES
from hf_tasks.runs import trained_here
from hf_tasks.runs.contained import check_inside

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run

FILE = "README.md"
LARGEST_CARD = 1 << 20
"""Maximum size in bytes."""
MARKS = re.compile(r"^<!-- hf_tasks:.*-->$|^</?details>(<summary>)?|</summary>$", re.MULTILINE)
"""Markup that a browser hides and a terminal would print."""
BLOCK = re.compile(r"^<!-- hf_tasks:begin (\S+) -->\n(.*?)^<!-- hf_tasks:end \1 -->$", re.MULTILINE | re.DOTALL)
FRONT = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
OURS = ("model-index", "metrics", "pipeline_tag", "library_name", "base_model", "base_model_relation")
"""Keys of the metadata that are always generated."""


def blocks(text: str) -> dict[str, str]:
    """Name -> content of each generated section."""
    return dict(BLOCK.findall(text))


def metadata(text: str) -> dict[str, Any]:
    """The YAML metadata of a card; empty if it has none."""
    front = FRONT.match(text)
    found = parse_yaml(front[1]) if front else None
    return found if isinstance(found, dict) else {}


def renewed(edited: str, generated: str) -> str:
    """`edited` with the generated sections of `generated`; a section that the user removed stays removed."""
    fresh = blocks(generated)

    def new(found: re.Match[str]) -> str:
        name = found[1]
        content = fresh.get(name, found[2])
        return f"<!-- hf_tasks:begin {name} -->\n{content}<!-- hf_tasks:end {name} -->"

    body = BLOCK.sub(new, FRONT.sub("", edited, count=1))
    front, before = FRONT.match(edited), metadata(edited)
    return f"---\n{_front(front[1] if front else '', before, _joined(before, metadata(generated)))}---\n{body}"


def _joined(edited: dict[str, Any], generated: dict[str, Any]) -> dict[str, Any]:
    """The user's values win, except for the keys in OURS; tags are merged."""
    kept = {key: value for key, value in edited.items() if key not in OURS}
    tags = [tag for tag in edited.get("tags") or [] if tag not in generated.get("tags", [])]
    return generated | kept | ({"tags": [*generated.get("tags", []), *tags]} if "tags" in generated else {})


def _front(text: str, before: dict[str, Any], values: dict[str, Any]) -> str:
    """The YAML of `values`, with the lines and comments of `text` for unchanged values."""
    if before == values:
        return text
    from hf_tasks.recipe.yaml_edit import edited

    fresh = {key: value for key, value in values.items() if key in OURS and before.get(key) != value}
    kept = {key: value for key, value in values.items() if key not in fresh}
    try:
        front = edited(text, kept) + (_yaml(fresh) if fresh else "")
        unchanged = yaml.safe_load(front) == values
    except (UserError, yaml.YAMLError, AssertionError, LookupError):
        unchanged = False
    return front if unchanged else _yaml(values)


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def text(run: "Run", model_id: str = MODEL_ID) -> str:
    """The card of a run: new generated sections, and the user's text in README.md.

    Raises RunError if README.md has no generated sections or its metadata is not YAML, RecipeError for a template that
    cannot be used.
    """
    file = run.path / FILE
    if not file.is_file():
        return generated(run, model_id)
    edited = read_card(file)
    if not blocks(edited):
        raise RunError(f"{file}: has no generated sections to update; move the file away and write the card again")
    try:
        return renewed(edited, generated(run, model_id, edited))
    except ValueError as e:
        raise RunError(f"{file}: its metadata cannot be read: {e}; correct it") from None


def generated(run: "Run", model_id: str = MODEL_ID, edited: str = "") -> str:
    """The card generated from recipe and results; the licence in the metadata of `edited`, the user's card, wins.

    Raises ValueError if that metadata cannot be read.
    """
    stated, recipe = metadata(edited).get("license"), run.recipe
    with malformed_as_run_error(run.path / "results.json"):
        if isinstance(stated, str) and LICENSE.fullmatch(stated) and stated != license(recipe, run.results):
            recipe = recipe.model_copy(update={"card": recipe.card.model_copy(update={"license": stated})})
        return render(recipe, run.results, model_id=model_id, folder=run.recipe_folder)


def read_card(file: Path) -> str:
    """The text of a card. Raises RunError."""
    try:
        return read_text(file, LARGEST_CARD)
    except (OSError, ValueError) as e:
        raise RunError(f"{file}: cannot be read: {e}; correct the file or move it away") from None


def write(run: "Run", model_id: str = MODEL_ID) -> Path:
    """Write the card and its plots into the run; the path of the card. Raises as `text` does."""
    for name in (FILE, f"{PICTURES}/{CURVE}", f"{PICTURES}/{LAYERS}"):
        check_inside(run.path, run.path / name)
    content = text(run, model_id)
    with malformed_as_run_error(run.path / "results.json"):
        draw_card(run.results, run.path)
    write_text(run.path / FILE, content)
    return run.path / FILE


def show(card: str) -> None:
    """Print a card: formatted on a terminal, as Markdown otherwise."""
    if not sys.stdout.isatty():
        print(printable(card))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    metadata = FRONT.match(card)
    front = f"```yaml\n{metadata[1]}```\n\n" if metadata else ""
    Console().print(Markdown(front + MARKS.sub("", FRONT.sub("", card, count=1))))


def add(run: "Run", arguments: Mapping[str, Any]) -> None:
    """Add to results.json what only the card needs, and write the card of a new run.

    `arguments`: transformers' TrainingArguments as a dict. A failure prints a warning: the run itself is complete.
    Raises RunError if the run's directory cannot be written.
    """
    with write_errors(run.path.parent):
        try:
            results = run.results | gather(run.path, run.recipe, run.results, arguments)
            write_json(run.path / "results.json", results)
            trained_here.record(run.path)
            write(type(run)(run.path, run.recipe))
        except Exception as e:  # of a template, a font, a file of the base model: dozens of kinds
            reason = (str(e).strip() or type(e).__name__).splitlines()[0].rstrip(".")
            remedy = f"the run is complete; correct that, then run: hf-tasks card {run.path.parent} --write"
            say(f"warning: the card was not written: {reason}; {remedy}")
