"""The commands and the Python of README and docs run as they are written, on a tiny model and a few rows."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas
import pytest
from conftest import Tiny
from test_readme import PAGES, TEXTS, blocks
from typer.main import get_command
from typer.testing import CliRunner

import hf_tasks
from hf_tasks.cli import app
from hf_tasks.core.errors import UserError
from hf_tasks.runs.run import Run

NOT_RUN = {
    r"^(sweep|reproduce) ": "trains again",
    r"^train .*(--num-processes|--overwrite|seeds=|best\.yaml|KEY=)": "trains again",
    r"^train (NAME|sentiment_sst2_minilm|question_trec_minilm) ": "needs a whole dataset",
    r"^(evaluate|predict) +runs/translation ": "needs a run of text generation",
    r"^(verify|reproduce) runs/NAME|^recipes copy NAME|^card RUN --check": "shows a pattern",
    r"ORG/(?!intent --dry-run)": "needs the Hub",
    r"^demo (RUN|runs/intent)$": "serves until it is stopped",
    r"^export RUN OUT --merge": "needs a run of PEFT",
    r"^compare runs/A runs/B": "needs runs of several seeds",
    r"^evaluate RUN --set decoding.name=": "shows a pattern",
    r"^lr-find ": "takes a hundred steps",
}
PLACEHOLDERS = {
    "RUN": "runs/intent", "OTHER": "runs/other", "RECIPE": "intent.yaml", "DATA": "data", "INPUT": "questions.txt",
    "DIR": "new", "MODEL": "runs/intent", "--data FILE": "--data data/test.csv", "-o FILE": "-o vectors.parquet",
    "mbr FILE FILE": "mbr system1.txt system2.txt", "KEY=VALUES": "training.seed=1,2",
}  # fmt: skip
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
    for name, value in PLACEHOLDERS.items():
        command = re.sub(rf"(?<!\S){name}(?!\S)", value, command)
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
    recipe = blocks("yaml")[0].replace("distilbert/distilbert-base-uncased", str(tiny("bert")))
    for name in ("intent.yaml", "recipe.yaml"):
        (folder / name).write_text(recipe, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Run, "verify", lambda *args: None)  # in a fresh process; tests/training/test_training.py
        run = hf_tasks.train("intent.yaml")
    shutil.copytree(folder / run.path, folder / "runs" / "other")
    return folder


@pytest.fixture
def here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(place, tmp_path / "here")
    monkeypatch.chdir(folder)
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
    assert len(EXECUTED) > 15


@pytest.mark.parametrize("command", EXECUTED)
def test_a_command_runs(command: str, here: Path) -> None:
    words = shlex.split(command)
    if words[0] == "init":
        (here / "intent.yaml").unlink()
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.exception or result.output
    if {"-o", "--output"} & set(words) and words[-1] != "-":
        assert (here / words[words.index("-o") + 1]).stat().st_size > 0


def test_the_python_of_the_readme_runs(here: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning, without a run; `frame` is a DataFrame of the user's."""
    monkeypatch.setattr(Run, "verify", lambda *args: None)
    shutil.rmtree(here / "runs")
    frame = pandas.DataFrame(ROWS, columns=["text", "label"])
    names: dict[str, Any] = {"frame": frame}
    for block in blocks("python", PAGES[:1]):
        exec(block.replace("distilbert/distilbert-base-uncased", str(tiny("bert"))), names)
    assert names["run"].predict([{"text": "where is my card"}])[0]["label"] in ("card_arrival", "top_up_failed")
    assert (here / "runs" / "intent" / "results.json").is_file()


@pytest.mark.parametrize("page", PAGES[1:], ids=[page.stem for page in PAGES[1:]])
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
