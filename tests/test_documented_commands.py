"""The commands and the Python of README and docs run as they are written, on a tiny model and a few rows."""

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas
import processes
import pytest
import trained
from conftest import Tiny, hasten
from test_readme import PAGES, TEXTS, blocks
from typer.main import get_command
from typer.testing import CliRunner

import hf_tasks
from hf_tasks.cli import app
from hf_tasks.core.errors import UserError
from hf_tasks.publish.card import checks

# huggingface_hub sends files by httpx's old keyword `data`
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NOT_RUN = {
    r"--num-processes": "tests/core/test_distributed.py runs it, which takes half a minute",
    r"^suite ": "trains several recipes: tests/training/test_suite.py",
    r"^demo (RUN|runs/intent)$": "serves until it is stopped: tests/publish/demo/test_demo_server.py",
}
STAND_INS = {
    "mine PAIRS --model CHECKPOINT -o FILE": "mine pairs.csv --model tiny -o hard.jsonl",
    r"\bRUN OUT --merge": "runs/lora merged --merge",
    r"\bRUN --set decoding\.name=\.\.\.": "translation/run --set decoding.name=greedy",
    r"(?<!\S)RUN(?!\S)|runs/NAME": "runs/intent", "OTHER": "runs/other", "RECIPE": "intent.yaml", "DATA": "data",
    r"--model deepset/\S+ --task question-answering questions.jsonl":
        "--model runs/intent --task text-classification questions.txt",
    "INPUT": "questions.txt", r"\bDIR\b": "new", r"\bMODEL\b": "runs/intent", "--data FILE": "--data data/test.csv",
    "-o FILE": "-o vectors.parquet", "mbr FILE FILE": "mbr system1.txt system2.txt",
    "runs/translation": "translation/run", r"(?<=runs/intent )FILE": "questions.txt",
    "KEY=VALUES": "training.learning_rate=1e-4,1e-3", r"--trials \d+": "--trials 2", "ORG/": "org/",
    r"data\.folds=5": "data.folds=2", r"^recipes (copy|show) NAME": r"recipes \1 quickstart",
    r"^train NAME$": "train question_trec_minilm", r"^(train quickstart .*)": r"\1 --set training.max_steps=2",
    r"^train NAME --set data\.data_dir=\.\.\.": "train question_trec_minilm",
    r"^(train (question_trec|sentiment_sst2)_minilm.*)":
        r"\1 --set data.data_dir={here}/standin --set model.name_or_path={here}/tiny --set training.max_steps=2",
}  # fmt: skip
"""Patterns of what a command names, and what is there in its place: the Hub is the one of the tests."""
SEVERAL = "train intent.yaml --set seeds=[1,2] --output-dir runs/"
BEFORE = {
    r"best\.yaml": ["sweep intent.yaml --over training.learning_rate=1e-4,1e-3"],
    r"runs/A runs/B": [f"{SEVERAL}A", f"{SEVERAL}B --set training.learning_rate=1e-3"],
    r"report runs/folds": ["train intent.yaml --set data.folds=2 --output-dir runs/folds"],
    r"runs/lora": ["train intent.yaml --set method.name=lora --output-dir runs/lora"],
    r"^(predict|demo) org/intent": ["push runs/intent org/intent --tag v1"],
}
"""Commands that come first."""
WRITTEN = {"^init ": "intent.yaml", "few.yaml$": "few.yaml", "best.yaml$": "runs/intent"}
"""What a command writes, which is removed before."""
ROWS = [
    ("where is my card", "card_arrival"),
    ("when will the new card be in paris", "card_arrival"),
    ("the card is not in the bank", "card_arrival"),
    ("money was not in the bank", "top_up_failed"),
    ("the new money is lost", "top_up_failed"),
    ("how many plays and no money", "top_up_failed"),
]


def commands() -> list[str]:
    """What follows `hf-tasks` in code blocks and in inline code, without comments; a name alone shows no command."""
    found = [line for block in blocks("") for line in re.findall(r"^(?:.*\| )?hf-tasks +(.*)", block, re.MULTILINE)]
    for text in TEXTS.values():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [" ".join(code.split()) for code in re.findall(r"`hf-tasks\s+([^`]+)`", prose)]
    lines = [shlex.join(shlex.split(line, comments=True)) for line in found]
    return list(dict.fromkeys(line for line in lines if " " in line))


def reason(command: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, command)), None)


def filled(command: str) -> str:
    for pattern, value in STAND_INS.items():
        command = re.sub(pattern, value, command)
    return command


COMMANDS = commands()
EXECUTED = list(dict.fromkeys(filled(command) for command in COMMANDS if reason(command) is None))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    """A folder with all files that the commands name; runs/intent is the run of README's recipe."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "data").mkdir()
    table = "text,category\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
    pairs = "".join(f"{text}\n" for text, _ in ROWS)
    for name in ("data/train.csv", "data/test.csv", "reviews.csv"):
        (folder / name).write_text(table, encoding="utf-8")
    (folder / "posts.csv").write_text(table.replace("text,category", "post,stance"), encoding="utf-8")
    for name in ("questions.txt", "train.en", "train.de", "dev.en", "dev.de", "system1.txt", "system2.txt"):
        (folder / name).write_text(pairs, encoding="utf-8")
    for name in ("new.en", "new.de", "sources.txt"):
        (folder / name).write_text(pairs, encoding="utf-8")
    (folder / "pairs.csv").write_text(table.replace("text,category", "anchor,positive"), encoding="utf-8")
    _write_stand_ins(folder / "standin")
    shutil.copytree(tiny("bert"), folder / "tiny")
    recipe = blocks("yaml")[0].replace("distilbert/distilbert-base-uncased", str(tiny("bert")))
    for name in ("intent.yaml", "recipe.yaml"):
        (folder / name).write_text(recipe, encoding="utf-8")
    (folder / "few.yaml").write_text(recipe.replace("name: intent", "name: few", 1), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        hasten(patch)
        run = hf_tasks.train("intent.yaml")
        (folder / "translation").mkdir()
        trained.train("translation", tiny("t5"), folder / "translation")
    shutil.copytree(folder / run.path, folder / "runs" / "other")
    return folder


def _write_stand_ins(folder: Path) -> None:
    """The files of the shipped recipes of TREC and SST-2."""
    folder.mkdir()
    for split in ("train", "dev", "test"):
        rows = [{"text": text, "label": label} for text, label in ROWS]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        numbered = "".join(f"{text},{int(label == 'card_arrival')}\n" for text, label in ROWS)
        (folder / f"{split}.csv").write_text("text,label\n" + numbered, encoding="utf-8")


@pytest.fixture
def here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(place, tmp_path / "here")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "cache"))
    hasten(monkeypatch)
    monkeypatch.setattr(checks, "_run", lambda code, **_: processes.run(["-c", code]))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    words, found = shlex.split(command), get_command(app)
    while hasattr(found, "commands"):
        name, *words = words
        assert name in found.commands, f"there is no command {name}"
        found = found.commands[name]
    found.make_context("hf-tasks", words)


def test_what_is_not_run_is_documented() -> None:
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, command) for command in COMMANDS)] == []
    assert [pattern for pattern in BEFORE if not any(re.search(pattern, command) for command in EXECUTED)] == []
    assert len(COMMANDS) - sum(reason(command) is not None for command in COMMANDS) > 55


@pytest.mark.parametrize("command", EXECUTED)
def test_a_command_runs(command: str, here: Path, request: pytest.FixtureRequest) -> None:
    if "org/" in command:
        request.getfixturevalue("hub")
    for pattern, name in WRITTEN.items():
        if re.search(pattern, command):
            (shutil.rmtree if (here / name).is_dir() else os.remove)(here / name)
    before = [line for pattern, lines in BEFORE.items() if re.search(pattern, command) for line in lines]
    for line in [*before, command]:
        words = shlex.split(line.replace("{here}", str(here)))
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.exception or result.output
    if {"-o", "--output"} & set(words) and words[-1] != "-":
        assert (here / words[words.index("-o") + 1]).stat().st_size > 0


def test_the_python_of_the_readme_runs(here: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning, without a run; `frame` is a DataFrame of the user's."""
    hasten(monkeypatch)
    shutil.rmtree(here / "runs")
    frame = pandas.DataFrame(ROWS, columns=["text", "label"])
    names: dict[str, Any] = {"frame": frame}
    for block in blocks("python", PAGES[:1]):
        exec(block.replace("distilbert/distilbert-base-uncased", str(tiny("bert"))), names)
    assert names["run"].predict([{"text": "where is my card"}])[0]["label"] in ("card_arrival", "top_up_failed")
    assert (here / "runs" / "intent" / "results.json").is_file()


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks("python", [page])], ids=lambda page: page.stem)
def test_the_python_of_the_docs_runs(here: Path, page: Path) -> None:
    for block in blocks("python", [page]):
        exec(block, {})


def test_the_messages_of_the_readme_are_those_that_come(here: Path) -> None:
    shown = next(block for block in blocks("") if "did you mean" in block).splitlines()
    recipe, data = here / "intent.yaml", here / "data" / "train.csv"
    good = recipe.read_text(encoding="utf-8")
    recipe.write_text(good.replace("max_length", "max_lenght").replace("5e-5", "fast"), encoding="utf-8")
    with pytest.raises(UserError) as wrong:
        hf_tasks.check("intent.yaml")
    recipe.write_text(good, encoding="utf-8")
    data.write_text("text,category\n" + "a card,card_arrival\n" * 15 + "some money,\n", encoding="utf-8")
    with pytest.raises(UserError) as empty:
        hf_tasks.check("intent.yaml")
    assert [*wrong.value.problems, *empty.value.problems][: len(shown)] == shown
