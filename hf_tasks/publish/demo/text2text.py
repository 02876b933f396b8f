"""The demo of tasks that generate text: the text, with selectable decoding; with `mbr` also the candidates."""

from typing import Any

import gradio as gr

from hf_tasks import data
from hf_tasks.decoding import Decoding
from hf_tasks.publish.demo.form import Form, listing
from hf_tasks.runs import evaluation
from hf_tasks.runs.run import Run
from hf_tasks.tasks.types import Prediction, RawRow

STRATEGIES = ("greedy", "beam", "sample", "mbr")
KEYS = {
    "num_beams": ("beam",), "temperature": ("sample", "mbr"), "top_p": ("sample", "mbr"), "num_samples": ("mbr",),
    "seed": ("sample", "mbr"),
}  # fmt: skip
"""Options of the decoding section that can be set on the page, and the strategies that have them."""
FALLBACK = {"num_beams": 4, "temperature": 1.0, "top_p": 1.0, "num_samples": 16, "seed": 0}


def form(run: Run) -> Form:
    inputs = run.recipe.task.traits.inputs
    columns = {name: gr.Textbox(label=name.capitalize(), lines=5, render=False) for name in inputs}
    decoding = run.recipe.decoding
    assert decoding is not None
    outputs = [
        gr.Textbox(label="Text", lines=5, interactive=False, buttons=["copy"], render=False),
        listing("Candidates", {"Expected utility": "24%", "Samples": "16%", "Text": "60%"}, visible=False),
    ]
    return Form(columns, outputs, lambda row, *choices: _predict(run, row, choices), _show, _choices(decoding))


def _choices(decoding: Decoding) -> list[Any]:
    """The strategy and its options, preset to the recipe; options of other strategies are hidden."""
    given = FALLBACK | decoding.model_dump(include=set(KEYS))
    strategy = gr.Radio(STRATEGIES, value=decoding.name, label="Strategy", render=False)
    fields = {
        "num_beams": gr.Slider(2, max(16, given["num_beams"]), step=1, label="Beams", render=False),
        "temperature": gr.Slider(0.05, max(2, given["temperature"]), step=0.05, label="Temperature", render=False),
        "top_p": gr.Slider(0.05, 1, step=0.05, label="top_p", render=False),
        "num_samples": gr.Slider(2, max(64, given["num_samples"]), step=1, label="Samples", render=False),
        "seed": gr.Number(precision=0, minimum=0, label="Seed", render=False),
    }
    for key, field in fields.items():
        field.value, field.visible = given[key], decoding.name in KEYS[key]
    return [strategy, *fields.values()]


def shown(strategy: str) -> list[Any]:
    """Show only the options of a strategy."""
    return [gr.update(visible=strategy in strategies) for strategies in KEYS.values()]


def overrides(strategy: str, values: tuple[Any, ...]) -> list[str]:
    """The overrides that `hf-tasks predict` would need with --set."""
    chosen = zip(KEYS, values, strict=True)
    keys = [f"decoding.{key}={value}" for key, value in chosen if strategy in KEYS[key]]
    return [f"decoding.name={strategy}", *keys, *(["decoding.keep_candidates=true"] if strategy == "mbr" else [])]


def _predict(run: Run, row: RawRow, choices: tuple[Any, ...]) -> Prediction:
    """The prediction of the run with these overrides, by the loaded model."""
    strategy, *values = choices
    decoding = Run.load(run.path, overrides(strategy, tuple(values))).recipe.decoding
    split = data.read_rows([row], run.recipe.task, labelled=False)
    encoded = evaluation.encode(split.examples, run.recipe.task, run.tokenizer)
    return evaluation.predict(run.model, run.recipe.task, encoded, run.tokenizer, decoding=decoding).predictions[0]


def _show(_: RawRow, prediction: Prediction) -> list[Any]:
    if "candidates" not in prediction:
        return [prediction["prediction"], gr.update(value=None, visible=False)]
    return [prediction["prediction"], gr.update(value=candidates(prediction), visible=True)]


def candidates(prediction: Prediction) -> list[list[Any]]:
    """The distinct candidates of `mbr`: expected utility, number of samples, text; the best first."""
    texts: list[str] = prediction["candidates"]
    utilities = dict(zip(texts, prediction["expected_utilities"], strict=True))
    ranked = sorted(utilities, key=lambda text: (text != prediction["prediction"], -utilities[text]))
    return [[f"{utilities[text]:.2f}", texts.count(text), text] for text in ranked]
