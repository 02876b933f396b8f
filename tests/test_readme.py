"""The README tells the truth: its recipes are valid, its commands exist, its tree names every file."""

import re
from pathlib import Path

from typer.main import get_command

from hf_tasks import recipe_file
from hf_tasks.cli import app
from hf_tasks.recipe import validate
from hf_tasks.shipped import shipped

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in every if name == language]


def test_the_recipe_is_valid() -> None:
    assert validate(recipe_file.parse(blocks("yaml")[0], "README.md")).name == "intent"


def test_every_section_is_valid() -> None:
    whole = blocks("yaml")[0]
    for section in blocks("yaml")[1:]:
        name = section.partition(":")[0]
        rest = re.sub(rf"^{name}:.*\n(?:  .*\n)+", "", whole, flags=re.MULTILINE)
        validate(recipe_file.parse(rest + section, "README.md"))


def test_every_command_exists() -> None:
    group = get_command(app)
    words = {words[1] for block in blocks("") for words in map(str.split, re.findall(r"hf-tasks .*", block))}
    assert words
    assert words <= set(group.commands)  # type: ignore[attr-defined]


def test_the_tree_names_every_file_of_the_package() -> None:
    tree = next(block for block in blocks("") if block.startswith("hf_tasks/"))
    files = {path.name for path in (ROOT / "hf_tasks").rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert {name for name in files if name not in tree} == set()
    assert {name for name in re.findall(r"\w+\.py", tree) if name not in files} == set()


def test_the_table_names_every_shipped_recipe() -> None:
    assert {name for name in shipped() if f"`{name}`" not in README} == set()
