"""What the page says of a run: from its card and its recorded example."""

import re
from dataclasses import dataclass

from hf_tasks.card import markdown
from hf_tasks.card.blocks import FRONT, blocks
from hf_tasks.run import CARD, RESULTS, Run
from hf_tasks.tags import surface
from hf_tasks.tasks.types import RawRow

SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"<!--(?s:.*?)-->|^\[fill in:.*\]$|!\[[^\]]*\]\([^)]*\)", re.MULTILINE)
"""Comments, what nobody has filled in, and pictures."""


@dataclass(frozen=True)
class About:
    """Markdown; "" where the card says nothing."""

    title: str
    summary: str
    intended_use: str
    limits: str


def about(run: Run) -> About:
    file = run.path / CARD
    card = FRONT.sub("", file.read_text(encoding="utf-8"), count=1) if file.is_file() else ""
    summary = re.sub(r"^# .*$", "", blocks(card).get("summary", ""), count=1, flags=re.MULTILINE)
    sections = dict(SECTION.findall(card))
    texts = [summary, sections.get("Intended use", ""), sections.get("Limits", "")]
    return About(markdown.escape(run.recipe.name), *(HIDDEN.sub("", text).strip() for text in texts))


def example(run: Run) -> RawRow | None:
    """The example that was recorded when the run was measured: its columns as texts."""
    found = run.results.get("example") if (run.path / RESULTS).is_file() else None
    if not found:
        return None
    given = dict(found["input"])
    return {"text": surface(given["tokens"])} if "tokens" in given else given
