"""Runs of untrained models, one for each kind of page."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny

from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import from_dict, to_yaml
from hf_tasks.runs import model_files
from hf_tasks.runs.run import Run

Runs = Callable[[str], Run]
QUESTION = {"question": "who won ?", "context": "mary won the big film in paris and john lost"}
TASKS: dict[str, dict[str, Any]] = {
    "label": {"name": "text-classification", "labels": ["no", "yes", "maybe"]}
    | {"problem_type": "single_label_classification", "metrics": ["accuracy"]},
    "labels": {"name": "text-classification", "labels": ["a", "b", "c"], "threshold": {"b": 0.45, "c": 0.6}}
    | {"problem_type": "multi_label_classification", "metrics": ["f1"]},
    "number": {"name": "text-classification", "problem_type": "regression", "pairs": True, "metrics": ["mse"]},
    "entities": {"name": "token-classification", "labels": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]}
    | {"scheme": "IOB2", "split_text": "words", "metrics": ["entity_f1"]},
    "tags": {"name": "token-classification", "labels": ["NOUN", "VERB"], "scheme": "none", "split_text": "words"}
    | {"metrics": ["tagging_accuracy"]},
    "words": {"name": "token-classification", "labels": ["B", "M", "E", "S"], "scheme": "segmentation"}
    | {"split_text": "characters", "metrics": ["tagging_accuracy"]},
    "answer": {"name": "question-answering", "version_2_with_negative": True, "metrics": ["squad_v2"], "max_length": 64}
    | {"doc_stride": 8},
    "text": {"name": "translation", "max_target_length": 8, "metrics": ["bleu"]},
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "label": {"text": "the film is good"},
    "labels": {"text": "the film is good"},
    "number": {"text": "a good film", "text_pair": "a great movie"},
    "entities": {"tokens": ["mary", "saw", "paris"]},
    "tags": {"text": "mary saw paris"},
    "words": {"tokens": ["a", "b", "c"]},
    "answer": QUESTION,
    "text": {"source": "the good film"},
}
CARD = """---
license: mit
---
<!-- hf_tasks:begin summary -->
# small

It is `tiny`.

On test, 9 examples: `accuracy` **0.5000**.
<!-- hf_tasks:end summary -->

## Intended use

[fill in: whom and what this model is for]

For trying. ![seen](https://example.org/pixel.png)

## Limits

Knows few words.

<!-- hf_tasks:begin limits -->
It reads 64 tokens.
<!-- hf_tasks:end limits -->

## Data
"""


@pytest.fixture(autouse=True)
def loops_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """gradio makes an event loop for each of its locks, and closes none (`safe_get_lock` in gradio/utils.py)."""
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        if not loop.is_running():
            loop.close()


@pytest.fixture
def port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def runs(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """`runs(kind)`: a run whose model has random weights, with a card and a recorded example; kinds are in TASKS."""
    made: dict[str, Run] = {}

    def run(kind: str) -> Run:
        if kind not in made:
            made[kind] = _run(kind, tiny("t5" if kind == "text" else "bert"), tmp_path_factory.mktemp(kind))
        return made[kind]

    return run


def _run(kind: str, base: Path, folder: Path) -> Run:
    recipe = from_dict(
        {"name": "small", "task": TASKS[kind], "data": {"train": "x.jsonl"}, "model": {"name_or_path": str(base)}}
        | ({"decoding": {"name": "greedy", "max_new_tokens": 6}} if kind == "text" else {})
    )
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    torch.manual_seed(1)
    model = model_files.build_model(recipe, tokenizer)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    model_files.save(recipe, model, folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    results = {"test": {"n": 9, "accuracy": 0.5}, "example": {"input": EXAMPLES[kind], "prediction": {}}}
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return Run.load(folder)
