"""Write the pages of the site to build/pages: the Markdown of the repository, and the reference from the code.

`make docs` runs it before `mkdocs build --strict`. A link to a file that is not a page becomes its text.
"""

import inspect
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

import typer
from notebooks import notebook

import hf_tasks
from hf_tasks.cli import app
from hf_tasks.metrics import METRICS, VALUES
from hf_tasks.recipe import Recipe

ROOT = Path(__file__).parents[2]
TARGETS = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "recipes/README.md": "recipes.md",
           "benchmarks/README.md": "benchmarks.md"} | {
    path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix()
    for path in (ROOT / "docs").rglob("*.md")
}  # fmt: skip
"""File of the repository -> page of the site."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]*)(#[^)\s]*)?\)")
PEFT = "https://huggingface.co/docs/peft"
TRAINING = "https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments"


def main(folder: Path = ROOT / "build" / "pages") -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "reference").mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "pictures", folder / "pictures")
    (folder / "keys.css").write_text("td:first-child code { white-space: nowrap }\n", encoding="utf-8")
    for file, page in TARGETS.items():
        (folder / page).parent.mkdir(exist_ok=True)
        text = (ROOT / file).read_text(encoding="utf-8")
        shown = linked(file, text)
        if file.startswith("docs/tutorials/"):
            name = Path(page).with_suffix(".ipynb")
            (folder / name).write_text(notebook(text), encoding="utf-8")
            shown = shown.replace("\n\n", f"\n\nAs a notebook: [{name.name}]({name.name}).\n\n", 1)
        (folder / page).write_text(shown, encoding="utf-8")
    generated = {
        "commands": commands(), "python": python(), "recipe": recipe_keys(), "methods": methods(), "metrics": metrics(),
    }  # fmt: skip
    for name, lines in generated.items():
        (folder / "reference" / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def linked(file: str, text: str) -> str:
    """The text of a file of the repository with its links as the site needs them."""
    here, page = PurePosixPath(file).parent.as_posix(), PurePosixPath(TARGETS[file]).parent.as_posix()

    def link(found: re.Match[str]) -> str:
        picture, words, path, anchor = found[1], found[2], found[3], found[4] or ""
        target = normpath(f"{here}/{path}")
        if picture:
            return f"![{words}]({relpath(target, 'docs')})"
        return f"[{words}]({relpath(TARGETS[target], page)}{anchor})" if target in TARGETS else words

    return LINK.sub(link, text)


def commands() -> Iterator[str]:
    """Every command with its arguments and options, as `--help` shows them."""
    yield "# Commands\n"
    yield from _commands(typer.main.get_command(app), "hf-tasks")


def _commands(command: Any, name: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for sub, one in command.commands.items():
            yield from _commands(one, f"{name} {sub}")
        return
    context = command.context_class(command, info_name=name)
    yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n"
    yield f"```\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    rows = [
        (f"`{one.name.upper()}`", one.help or "") if one.param_type_name == "argument" else _option(one, context)
        for one in command.params
        if not one.hidden
    ]
    yield from _table(("argument or option", "meaning"), rows)


def _option(option: Any, context: Any) -> tuple[str, str]:
    names, text = option.get_help_record(context)
    return f"`{names}`", text


def python() -> Iterator[str]:
    """The exported names, whose docstrings mkdocstrings reads: functions, classes, errors."""
    yield "# Python\n\n`import hf_tasks` imports nothing heavy; each function imports what it needs.\n"
    errors = [name for name in hf_tasks.__all__ if name.endswith("Error")]
    functions = [name for name in hf_tasks.__all__ if name not in hf_tasks._CLASSES and name not in errors]
    yield from (f"::: hf_tasks.{name}\n" for name in functions)
    yield from (f"::: {module}.{name}\n" for name, module in hf_tasks._CLASSES.items())
    yield from (f"::: hf_tasks.{name}\n" for name in errors)


def recipe_keys() -> Iterator[str]:
    """Every key of a recipe, section by section, from the JSON schema."""
    schema = Recipe.model_json_schema()
    yield "# Recipe keys\n"
    yield "`hf-tasks recipes schema` prints the same as JSON schema, for editors that complete and check YAML.\n"
    yield "## The recipe\n"
    yield from _keys(schema)
    for name, one in schema["properties"].items():
        kinds = _kinds(one)
        for kind in kinds:
            if kind.startswith("Peft_"):
                continue
            section = schema["$defs"][kind]
            value = section["properties"].get("name", {})
            names = value.get("enum") or [value["const"]] if "const" in value or "enum" in value else []
            which = f": {', '.join(map(str, names))}" if len(kinds) > 1 and names else ""
            yield f"## {name}{which}\n\n{section.get('description') or one.get('description', '')}\n"
            if name == "training":
                yield f"The other keys are those of [transformers.TrainingArguments]({TRAINING}).\n"
                section = section | {
                    "properties": {k: v for k, v in section["properties"].items() if v.get("description")}
                }
            yield from _keys(section)


def _kinds(one: Mapping[str, Any]) -> list[str]:
    """The sections that a key may hold."""
    found = [one, *one.get("oneOf", ()), *one.get("anyOf", ())]
    return list(dict.fromkeys(item["$ref"].rpartition("/")[2] for item in found if "$ref" in item))


def _keys(section: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for key, value in section["properties"].items():
        default = "required" if key in section.get("required", ()) else _default(value)
        rows.append((f"`{key}`", _type(value), default, value.get("description", "")))
    yield from _table(("key", "value", "default", "meaning"), rows)


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    return "" if default is None or isinstance(default, dict) else f"`{default}`"


def _type(value: Mapping[str, Any]) -> str:
    """The kinds of values in words: string, integer, list of strings, one of several names."""
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "$ref" in value or "oneOf" in value:
        return "section"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value["anyOf"] if one.get("type") != "null"))
    if value.get("type") == "array":
        items = value.get("items") or next(iter(value.get("prefixItems", [])), {})
        return f"list of {_type(items)}" if items else "list"
    return {"object": "mapping", "": "any"}.get(value.get("type", ""), value.get("type", "any"))


def methods() -> Iterator[str]:
    """Every method with the first sentence of its class, and PEFT's types."""
    schema = Recipe.model_json_schema()
    mapping = schema["properties"]["method"]["discriminator"]["mapping"]
    yield "# Index of methods\n"
    yield "`method.name` in a recipe. Measurements are in [Methods](../methods.md), keys in [Recipe keys](recipe.md).\n"
    rows, peft = [], []
    for name, ref in mapping.items():
        kind = ref.rpartition("/")[2]
        if kind.startswith("Peft_"):
            peft.append(f"`{name}`")
        else:
            rows.append((f"`{name}`", schema["$defs"][kind].get("description") or ""))
    yield from _table(("method", "what it trains"), rows)
    yield f"## PEFT\n\nTypes of [PEFT]({PEFT}), with the keys of its configurations: {', '.join(peft)}.\n"


def metrics() -> Iterator[str]:
    """Every metric with the values that it computes."""
    yield "# Index of metrics\n\n`task.metrics` in a recipe; any other name is passed to `evaluate.load`.\n"
    rows = []
    for name, metric in METRICS.items():
        for key, value in metric.described.items():
            rows.append((f"`{name}`", f"`{key}`", value.description))
    yield from _table(("metric", "value", "meaning"), rows)
    rest = [
        (f"`{key}`", value.description)
        for key, value in VALUES.items()
        if not any(key in m.described for m in METRICS.values())
    ]
    yield "## Beside every metric\n"
    yield from _table(("value", "meaning"), rest)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(head)} |\n|{' --- |' * len(head)}"
        for row in rows:
            yield "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |"
        yield ""


if __name__ == "__main__":
    main()
