"""Each tutorial runs as written, from its files to its Python, with tiny models in place of those of the Hub."""

import json
import re
import runpy
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
    "google-t5/t5-small": "t5", "openai-community/gpt2": "gpt2", "sentence-transformers/all-MiniLM-L6-v2": "bert",
}  # fmt: skip


def test_there_is_one_for_each_kind_of_task() -> None:
    assert len(PAGES) == 9


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


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_its_notebook_holds_the_same_files_commands_and_code(page: Path) -> None:
    notebook = runpy.run_path(str(page.parents[1] / "site" / "notebooks.py"))["notebook"]
    text = page.read_text(encoding="utf-8")
    cells = json.loads(notebook(text))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = [one for one in code if not one.startswith("!mkdir")]
    blocks = [block for block in BLOCK.findall(text) if block[0] or block[1] in ("", "python")]
    assert len(found) == len(blocks) > 3
    for one, (file, language, block) in zip(found, blocks, strict=True):
        expected = block if file or language else "".join(f"!{line}\n" for line in block.splitlines())
        assert one == (f"%%writefile {file}\n" if file else "") + expected.rstrip()
    words = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert words.startswith("# ") and "```\n" not in words.replace("```yaml", "") and "](../" not in words
