"""The demo of token classification: the text with highlighted entities or tags, or split into words."""

from typing import Any

import gradio as gr

from hf_tasks.publish.demo.form import Form, listing
from hf_tasks.runs.run import Run
from hf_tasks.tasks import TokenClassification
from hf_tasks.tasks.types import Prediction, RawRow

Pieces = list[tuple[str, str | None]]


def form(run: Run) -> Form:
    task = run.recipe.task
    assert isinstance(task, TokenClassification)
    columns = {"text": gr.Textbox(label="Text", lines=3, render=False)}

    def predict(row: RawRow) -> Prediction:
        return run.predict([row])[0]  # type: ignore[no-any-return]

    match task.scheme:
        case "segmentation":
            return Form(columns, [gr.Textbox(label="Words", lines=3, interactive=False, render=False)], predict, _words)
        case "none":
            tags = gr.HighlightedText(label="Tags", elem_classes="marked", render=False)
            return Form(columns, [tags], predict, _tags)
        case _:
            found = gr.HighlightedText(label="Entities", show_legend=True, elem_classes="marked", render=False)
            table = listing("List", {"Entity": "46%", "Type": "29%", "Probability": "25%"})
            return Form(columns, [found, table], predict, _entities)


def _words(_: RawRow, prediction: Prediction) -> list[Any]:
    return ["  ".join(prediction["words"])]


def _tags(row: RawRow, prediction: Prediction) -> list[Any]:
    return [marked(row["text"], spans_of(row["text"], prediction["tokens"], prediction["tags"]))]


def _entities(row: RawRow, prediction: Prediction) -> list[Any]:
    found = prediction["entities"]
    spans = [(entity["start"], entity["end"], entity["label"]) for entity in found]
    rows = [[entity["text"], entity["label"], f"{entity['score']:.3f}"] for entity in found]
    return [marked(row["text"], spans), rows]


def spans_of(text: str, tokens: list[str], tags: list[str]) -> list[tuple[int, int, str]]:
    """(start, end, tag) of each token; the tokens occur in the text in this order."""
    spans, end = list[tuple[int, int, str]](), 0
    for token, tag in zip(tokens, tags, strict=True):
        start = text.index(token, end)
        end = start + len(token)
        spans.append((start, end, tag))
    return spans


def marked(text: str, spans: list[tuple[int, int, str]]) -> Pieces:
    """The text in pieces: spans with their labels, and the text between them with None.

    >>> marked("Ann left.", [(0, 3, "PER")])
    [("Ann", "PER"), (" left.", None)]
    """
    pieces, before = Pieces(), 0
    for start, end, label in spans:
        pieces += [(text[before:start], None), (text[start:end], label)]
        before = end
    return [piece for piece in [*pieces, (text[before:], None)] if piece[0]]
