"""A card is compared with what it describes; cards of every kind of task are in tests/publish/test_trained_runs.py."""

import contextlib
import io
import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_tasks
from hf_tasks.publish import card
from hf_tasks.publish.card import checks
from hf_tasks.publish.card.checks import same_output
from hf_tasks.recipe import Recipe, from_dict, to_yaml
from hf_tasks.runs.run import Run
from hf_tasks.runs.staged_run import StagedRun

Tiny = Callable[[str], Path]

ROWS = [
    {"text": "a good film", "label": "good"}, {"text": "a bad film", "label": "ba|d"},
    {"text": "it was great", "label": "good"}, {"text": "it was slow", "label": "ba|d"},
]  # fmt: skip


def run_here(code: str, **_: Any) -> "subprocess.CompletedProcess[str]":
    """What `checks._run` does, in this process; there too, warnings of libraries are no errors."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, {"__name__": "__main__"})
    return subprocess.CompletedProcess([], 0, output.getvalue(), "")


@pytest.mark.parametrize("method", ["lora", "bottleneck-adapter"])
def test_adapters_say_how_they_are_loaded(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(StagedRun, "verify", lambda *args: None)
    monkeypatch.setattr(checks, "_run", run_here)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    values = {
        "name": "mine", "task": {"name": "text-classification", "max_length": 32},
        "data": {"train": str(rows), "test": str(rows), "validation_size": 0.0},
        "model": {"name_or_path": str(tiny("bert"))}, "method": {"name": method},
        "training": {"output_dir": str(tmp_path / "run"), "max_steps": 2, "bf16": False},
    }  # fmt: skip
    run = hf_tasks.train(from_dict(values))
    usage = (run.path / "README.md").read_text().partition("hf_tasks:end usage")[0]
    assert "PeftModel.from_pretrained" not in usage  # its base is a folder of this machine
    assert ("With transformers and peft alone it cannot be loaded on other machines" in usage) == (method == "lora")
    assert ("`from_pretrained` cannot load it" in usage) == (method == "bottleneck-adapter")
    assert card.check(run) == []


# -- what is not true, without training


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run's directory with a card and no model; its snippets count as right."""
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "recipe.yaml").write_text(to_yaml(recipe))
    (tmp_path / "environment.json").write_text("{}")
    monkeypatch.setattr(checks, "_snippets", lambda *args, **options: iter(()))
    found = Run(tmp_path, recipe)
    card.write(found)
    return found


def edit(run: Run, before: str, after: str) -> None:
    text = (run.path / "README.md").read_text()
    assert before in text
    (run.path / "README.md").write_text(text.replace(before, after))


def test_a_fresh_card_is_true(run: Run) -> None:
    assert card.check(run) == []


@pytest.mark.parametrize(
    ("before", "after", "problems"),
    [
        ("| 0.9125 |", "| 0.9999 |", [
            'the generated section "results" differs from recipe and results; update',
            "test: 0.9999 is on the card, not in results.json; update",
            "test: 0.9125 is in results.json, not on the card; update",
        ]),
        ("| no | 0.5000 | 20 |", "| no | 0.6000 | 20 |", [
            'the generated section "results" differs from recipe and results; update',
            "test: 0.6000 is on the card, not in results.json; update",
            "test: 0.5000 is in results.json, not on the card; update",
        ]),
        ("value: 0.91254", "value: 0.99", [
            "the metadata say that accuracy is 0.99 on test, but results.json does not; update",
        ]),
        ("value: 0.91254", "value: .nan", [
            "the metadata say that accuracy is nan, which is not a number",
        ]),
        ("1,234 of 1,234,567", "1 of 1,234,567", [
            'the generated section "training" differs from recipe and results; update',
        ]),
        ("## Limits\n", "## Limits\n\nMine, 0.77.\n", []),
        ("language: en", "language: [en", ["the metadata are not valid: "]),
        ("model-index:\n- name: intents\n", "model-index:\n- title: intents\n", ["the metadata are not valid: "]),
    ],
)  # fmt: skip
def test_what_is_not_true_is_named(run: Run, before: str, after: str, problems: list[str]) -> None:
    edit(run, before, after)
    found = card.check(run)
    assert len(found) == len(problems)
    for problem, expected in zip(found, problems, strict=True):
        assert problem.startswith(f"{run.path / 'README.md'}: {expected}")


def test_a_run_without_card(run: Run) -> None:
    (run.path / "README.md").unlink()
    assert card.check(run) == [
        f"{run.path / 'README.md'}: there is no card; write it with: hf-tasks card RUN --write"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "output", "problem"),
    [
        ('print("yes", 0.87)', "yes 0.88", None),
        ('print("no", 0.87)', "yes 0.88", "the snippet that begins \"import sys\" prints 'no 0.87', not 'yes 0.88'"),
        ("raise ValueError(sys.argv[0])", "", 'the snippet that begins "import sys" does not run: ValueError: -c'),
    ],
)
def test_snippets_are_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, code: str, output: str, problem: str | None
) -> None:
    monkeypatch.undo()
    fences = f"```python\nimport sys\n{code}\n```\n\n```text\n{output}\n```\n"
    text = f"<!-- hf_tasks:begin usage -->\n{fences}<!-- hf_tasks:end usage -->\n"
    assert list(checks._snippets(run, text, "ORG/NAME")) == ([problem] if problem else [])


def test_a_base_model_out_of_reach_is_not_checked_and_that_is_said(
    recipe: Recipe, results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LoRA on a package, offline: only the snippet that loads the base model from the Hub is left out."""
    about = {"base_model": "org/base", "base_revision": "c" * 40}
    sections = {"model": {"name_or_path": "package:base"}, "method": {"name": "lora"}, "card": about}
    values = json.loads(recipe.model_dump_json(exclude_unset=True)) | sections
    for name, content in (("recipe.yaml", ""), ("environment.json", "{}")):
        (tmp_path / name).write_text(content)
    (tmp_path / "results.json").write_text(json.dumps(results | {"base": {"from": "package"}}))
    run, ran = Run(tmp_path, from_dict(values)), list[str]()
    card.write(run)
    usage = (tmp_path / "README.md").read_text().partition("hf_tasks:end usage")[0]
    assert f'from_pretrained("org/base", revision="{"c" * 40}", config=config)' in usage
    assert "transformers reads the labels from the configuration of the base model" in usage
    outputs = subprocess.CompletedProcess([], 0, "yes 0.88\n", "")
    monkeypatch.setattr(checks, "_run", lambda code, offline: ran.append(code) or outputs)
    assert card.not_run(run, False) == checks.NOT_RUN
    assert card.not_run(run, True) == (
        "the snippet that loads the base model org/base was not run, because the Hub cannot be reached and org/base is "
        "not in its cache; check the card again with a network"
    )
    assert card.check(run, run_snippets=True) == []
    assert ["import hf_tasks" in code for code in ran] == [True]
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *args, **options: "config.json")
    assert card.not_run(run, True) == ""
    assert card.check(run, run_snippets=True) == []
    assert ["import hf_tasks" in code for code in ran] == [True, True, False]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("yes 0.87", "yes 0.88", True), ("yes 0.87", "yes 0.89", False), ("O O", "O", False), ("a", "b", False),
        ("nan", "nan", True), ("['x', 'y']", "['x', 'y']", True), ("1", "one", False),
    ],
)  # fmt: skip
def test_outputs_are_compared_word_by_word(first: str, second: str, same: bool) -> None:
    assert same_output(first, second) is same
