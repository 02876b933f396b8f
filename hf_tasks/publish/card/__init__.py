"""The model card, a pure function of the resolved recipe and the results.

render(recipe, results) -> str     the card's text
write(run)                         write or update the card and its plots in a run; the user's text is kept
check(run) -> list[str]            the errors of the card
gather(...)                        the facts that the card adds to results.json
add(run, arguments)                after training: add these facts and write the card; a failure is a warning
"""

from hf_tasks.publish.card.checks import check, not_run
from hf_tasks.publish.card.data_facts import of_data
from hf_tasks.publish.card.facts import gather
from hf_tasks.publish.card.render import render
from hf_tasks.publish.card.write import add, show, text, write

__all__ = [
    "add",
    "check",
    "gather",
    "of_data",
    "not_run",
    "render",
    "show",
    "text",
    "write",
]
