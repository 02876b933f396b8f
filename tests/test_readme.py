"""README and docs tell the truth: recipes are valid, commands and linked files exist, the tree names every file."""

import re
from pathlib import Path

from typer.main import get_command

from hf_tasks.cli import app
from hf_tasks.core.shipped import shipped
from hf_tasks.recipe import validate, yaml_file

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    ROOT / "recipes" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}


def blocks(language: str) -> list[str]:
    every = [
        block
        for text in TEXTS.values()
        for block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]
    return [text for name, text in every if name == language]


def test_the_recipe_is_valid() -> None:
    assert validate(yaml_file.parse(blocks("yaml")[0], "README.md")).name == "intent"


def test_every_section_is_valid() -> None:
    whole = blocks("yaml")[0]
    sections = {block.partition(":")[0]: block for block in blocks("yaml")[1:]}
    assert sections.keys() - {"compute_environment"} == {"data", "card", "training"}  # the one is Accelerate's
    for name, section in sections.items() - {("compute_environment", sections["compute_environment"])}:
        rest = re.sub(rf"^{name}:.*\n(?:  .*\n)+", "", whole, flags=re.MULTILINE)
        validate(yaml_file.parse(rest + section, "README.md"))


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
    table = TEXTS[ROOT / "recipes" / "README.md"]
    assert {name for name in shipped() if f"`{name}`" not in table} == set()


def test_links_lead_to_files() -> None:
    links = {path.parent / link for path, text in TEXTS.items() for link in re.findall(r"\]\((?!http)([^)#]+)", text)}
    assert len(links) > 10
    assert {link for link in links if not link.is_file()} == set()
