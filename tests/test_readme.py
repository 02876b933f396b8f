"""README and docs tell the truth: recipes are valid, commands, links and paths exist."""

import re
from collections.abc import Sequence
from pathlib import Path

from typer.main import get_command

from hf_tasks.cli import app
from hf_tasks.core.shipped import shipped
from hf_tasks.recipe import validate, yaml_file

ROOT = Path(__file__).parent.parent
ROOTS = (ROOT, ROOT / "hf_tasks")
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    ROOT / "recipes" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
PACKAGES = sorted(path.name for path in (ROOT / "hf_tasks").iterdir() if (path / "__init__.py").is_file())
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}


def blocks(language: str, pages: Sequence[Path] = PAGES) -> list[str]:
    every = [
        block
        for text in map(TEXTS.__getitem__, pages)
        for block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]
    return [text for name, text in every if name == language]


def test_the_recipe_is_valid() -> None:
    assert validate(yaml_file.parse(blocks("yaml")[0], "README.md")).name == "intent"


def test_every_section_is_valid() -> None:
    """Each block of sections, put into the recipe of the README in place of its own."""
    whole, *others = blocks("yaml")
    checked = set()
    for block in others:
        names = re.findall(r"^(\w+):", block, re.MULTILINE)
        if "compute_environment" not in names:  # Accelerate's
            rest = re.sub(rf"^({'|'.join(names)}):.*\n(?:  .*\n)*", "", whole, flags=re.MULTILINE)
            validate(yaml_file.parse(rest + block, "README.md"))
            checked.update(names)
    assert checked == {"task", "data", "model", "method", "training", "card"}


def test_every_command_exists() -> None:
    group = get_command(app)
    words = {words[1] for block in blocks("") for words in map(str.split, re.findall(r"hf-tasks .*", block))}
    assert words
    assert words <= set(group.commands)  # type: ignore[attr-defined]


def test_the_page_of_the_structure_names_every_package() -> None:
    rows = re.findall(r"^\| `(\w+)/` \|", TEXTS[ROOT / "docs" / "structure.md"], re.MULTILINE)
    assert sorted(rows) == PACKAGES


def test_the_table_names_every_shipped_recipe() -> None:
    table = TEXTS[ROOT / "recipes" / "README.md"]
    assert len(list(shipped())) > 20
    assert {name for name in shipped() if f"`{name}`" not in table} == set()


def test_links_lead_to_files_and_headings() -> None:
    links = [(path, link) for path, text in TEXTS.items() for link in re.findall(r"\]\((?!http)([^)]+)\)", text)]
    assert len(links) > 60
    for page, link in links:
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), f"{page.name}: {link}"
        assert not heading or heading in headings(target), f"{page.name}: {link}"


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_of_the_code_exist() -> None:
    """Whole paths, from the root of the project or of the package: `tests/test_cli.py`, `core/files.py`."""
    folders = "|".join(["hf_tasks", "tests", "benchmarks", "cards", *PACKAGES])
    whole = rf"(?<![\w/.-])((?:{folders})/(?:[\w/]+\.py|[\w/]*/(?=`)))"
    paths = {(page.name, path) for page, text in TEXTS.items() for path in re.findall(whole, text)}
    assert len(paths) > 20
    assert {(page, path) for page, path in paths if not any((root / path).exists() for root in ROOTS)} == set()
    modules = {(page.name, name) for page, text in TEXTS.items() for name in re.findall(r"`(\w+\.py)`", text)}
    assert {(page, name) for page, name in modules if not (ROOT / name).exists()} == set(), "give the whole path"
