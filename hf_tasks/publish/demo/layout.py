"""The page of a run: description from its card, the form of its task, results, and messages about wrong input."""

import re
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import escape

from hf_tasks import data
from hf_tasks.core.errors import UserError
from hf_tasks.metrics.tag_schemes import surface
from hf_tasks.publish.card import markdown
from hf_tasks.publish.card.write import FRONT, blocks, read_card
from hf_tasks.publish.demo import text2text
from hf_tasks.publish.demo.form import Form
from hf_tasks.publish.views import view_of
from hf_tasks.runs.run import CARD, RESULTS, Run
from hf_tasks.tasks.types import Prediction, RawRow

SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"<!--(?s:.*?)-->|^\[fill in:.*\]$|!\[[^\]]*\]\([^)]*\)", re.MULTILINE)
"""Comments, placeholders that nobody has filled in, and pictures."""
LONGEST = 100_000
"""Maximum number of characters of an input."""


@dataclass(frozen=True)
class About:
    """The description of a run as Markdown; "" for what is not in its card."""

    title: str
    summary: str
    intended_use: str
    limits: str


def about(run: Run) -> About:
    """The description of a run, from its card."""
    file = run.path / CARD
    card = FRONT.sub("", read_card(file), count=1) if file.is_file() else ""
    summary = re.sub(r"^# .*$", "", blocks(card).get("summary", ""), count=1, flags=re.MULTILINE)
    sections = dict(SECTION.findall(card))
    texts = [summary, sections.get("Intended use", ""), sections.get("Limits", "")]
    return About(markdown.escape(run.recipe.name), *(HIDDEN.sub("", text).strip() for text in texts))


def example(run: Run) -> RawRow | None:
    """The example recorded in results.json: its columns as texts; None if there is none."""
    found = run.results.get("example") if (run.path / RESULTS).is_file() else None
    if not found:
        return None
    given = dict(found["input"])
    return {"text": surface(given["tokens"])} if "tokens" in given else given


def page(run: Run) -> gr.Blocks:
    """The page of a run, ready to launch; loads the model."""
    form, description = view_of(run.recipe.task).form(run), about(run)
    _ = run.model
    blocks = gr.Blocks(title=run.recipe.name, analytics_enabled=False)
    with blocks:
        gr.Markdown(
            "\n\n".join(filter(None, [f"# {description.title}", description.summary, description.intended_use]))
        )
        with gr.Row():
            with gr.Column():
                _render(form.columns.values())
                _choices(form)
                button = gr.Button("Predict", variant="primary")
                notice = gr.HTML(elem_id="notice", visible=False)
                _examples(run, form)
            with gr.Column():
                _render(form.outputs)
        if description.limits:
            gr.Markdown(f"### Limits\n\n{description.limits}")
        gr.on(
            [button.click, *(field.submit for field in form.columns.values())],
            responder(run, form),
            [*form.columns.values(), *form.choices],
            [notice, *form.outputs],
            show_progress_on=list(form.outputs[:1]),
            concurrency_limit=1,
            api_name="predict",
        )
    return blocks


def responder(run: Run, form: Form) -> Any:
    """The function of the button: values of fields and options -> the message, and the values of the outputs."""

    def respond(*values: Any) -> list[Any]:
        row = dict(zip(form.columns, values, strict=False))
        try:
            _check(row)
            prediction = form.predict(row, *values[len(row) :])
            return [_notice(_cut(run, row) or _stopped(prediction)), *form.show(row, prediction)]
        except UserError as e:
            return [_notice(str(e)), *(None for _ in form.outputs)]

    return respond


def _render(components: Any) -> None:
    for component in components:
        component.render()


def _choices(form: Form) -> None:
    if not form.choices:
        return
    with gr.Accordion("Decoding options", open=False):
        _render(form.choices)
    strategy, *fields = form.choices
    strategy.change(text2text.shown, strategy, fields, api_visibility="private")


def _examples(run: Run, form: Form) -> None:
    recorded = example(run)
    if recorded and form.columns.keys() <= recorded.keys():
        row, fields = [_text(recorded[name]) for name in form.columns], list(form.columns.values())
        gr.Examples([row], fields, label="Example", cache_examples=False)


def _text(value: Any) -> str:
    """A value as text: the items of a list, one per line."""
    return "\n".join(value) if isinstance(value, list) else str(value)


def _check(row: RawRow) -> None:
    for name, text in row.items():
        if not (text or "").strip():
            raise UserError(f"The {_readable(name)} is empty: fill it in first.")
        if len(text) > LONGEST:
            raise UserError(f"The {_readable(name)} has {len(text):,} characters: shorten it to at most {LONGEST:,}.")


def _readable(column: str) -> str:
    return {"text_pair": "second text"}.get(column, column)


def _cut(run: Run, row: RawRow) -> str:
    """The message about an input longer than the model's limit."""
    task = run.recipe.task
    columns = data.read_rows([row], task, labelled=False).examples[:]
    tokens = sum(task.encode(columns, run.tokenizer)["tokens_cut"])
    return f"Too long: the last {tokens:,} tokens were cut and not read by the model." if tokens else ""


def _stopped(prediction: Prediction) -> str:
    return "The text was cut at the maximum output length." if prediction.get("cut") is True else ""


def _notice(text: str) -> Any:
    return gr.update(value=f'<p role="alert">{escape(text)}</p>', visible=bool(text))
