"""Each tutorial runs as written, from its files to its Python, with tiny models in place of those of the Hub."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import Tiny, hasten
from typer.testing import CliRunner

from hf_tasks.cli import app

PAGES = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"(?:^File `([^`]+)`:\n\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODELS = {
    "distilbert/distilbert-base-uncased": "distilbert", "google-bert/bert-base-uncased": "bert",
    "google-t5/t5-small": "t5", "openai-community/gpt2": "gpt2",
}  # fmt: skip


def test_there_is_one_for_each_kind_of_task() -> None:
    assert len(PAGES) == 7


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_tutorial_runs(page: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hasten(monkeypatch)
    commands = 0
    for file, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        for name, architecture in MODELS.items():
            text = text.replace(name, str(tiny(architecture))) if name in text else text
        if file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(text, {})
        else:
            for line in text.splitlines():
                program, *words = shlex.split(line)
                assert program == "hf-tasks"
                result = CliRunner().invoke(app, words)
                assert result.exit_code == 0, f"{line}: {result.exception or result.output}"
                commands += 1
    assert commands
