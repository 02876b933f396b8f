"""The model card: a pure function of the resolved recipe and the results; written, checked, renewed.

render(recipe, results) -> str     the card's text
write(run)                         the card and its pictures into a run; what people wrote in it stays
check(run) -> list[str]            what on the card is not true; empty where all is
gather(...)                        the facts that results.json needs for it
add(run, arguments)                after training: those facts, and the card; a failure is only a message
"""

from hf_tasks.publish.card.checks import NOT_RUN, check, may_run_snippets
from hf_tasks.publish.card.data_facts import of_data
from hf_tasks.publish.card.facts import gather
from hf_tasks.publish.card.pictures import draw
from hf_tasks.publish.card.render import render
from hf_tasks.publish.card.write import add, show, text, write

__all__ = [
    "NOT_RUN",
    "add",
    "check",
    "draw",
    "gather",
    "of_data",
    "may_run_snippets",
    "render",
    "show",
    "text",
    "write",
]
