"""Make a recipe from Python values: a file, a dict, or tables of rows with keywords.

Rows in memory are written as JSON lines to OUTPUT_DIR.data/HASH/, named by the hash of their content, so that the run
can be evaluated, resumed and reproduced like any other.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.files import json_default, write_errors, write_text
from hf_tasks.core.shipped import find
from hf_tasks.data.inputs import is_table, rows_of
from hf_tasks.recipe import Recipe, init, to_yaml, validate, yaml_file
from hf_tasks.recipe.yaml_file import Overrides, override_lines

SHORT = {"task": "name", "model": "name_or_path", "method": "name", "decoding": "name"}
"""Section -> key whose value can be given instead of the section."""


@dataclass(frozen=True)
class Given:
    """The arguments of `hf_tasks.train` that add to a recipe or replace it."""

    splits: Mapping[str, Any] = field(default_factory=dict)
    """Split -> a table of rows, names of files, or None."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """Section of the recipe -> a string, a dict, or None."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """The task's name of a column -> its name in the rows."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the section `training`."""
    output_dir: str | Path | None = None

    def changes(self) -> dict[str, Any]:
        """Return the changes of the recipe, without the splits."""
        changes = {name: _section(name, value) for name, value in self.sections.items() if value is not None}
        changes |= {"training": dict(self.training)} if self.training else {}
        return changes | ({"data": {"columns": dict(self.columns)}} if self.columns else {})


def recipe_of(
    recipe: str | Path | Recipe | Mapping[str, Any] | None, overrides: Overrides, given: Given
) -> tuple[Recipe, Path | None]:
    """Return the recipe and the folder of its relative paths. Raises RecipeError or DataError.

    Without a recipe, one is proposed for the data as by `hf-tasks init`.
    """
    splits, changes = {name: value for name, value in given.splits.items() if value is not None}, given.changes()
    lines = override_lines(overrides)
    if isinstance(recipe, Recipe) and not (splits or changes or lines or given.output_dir):
        return recipe, None
    source, folder = _source(recipe)
    output = given.output_dir or source.values.get("training", {}).get("output_dir")
    output = Path(output or f"runs/{source.values.get('name') or changes.get('task', {}).get('name', 'model')}")
    files = _files(splits, output)
    if recipe is None:
        source.values = _proposed(files, changes) | {"name": _name(output)}
    _merge(source.values, changes)
    _merge(source.values, {"data": files} if files else {})
    if given.output_dir or recipe is None:
        _merge(source.values, {"training": {"output_dir": str(output)}})
    yaml_file.override(source, lines)
    return validate(source, recipe_dir=folder), folder


def _source(recipe: Any) -> tuple[yaml_file.Source, Path | None]:
    """Return the values of a recipe and the folder of its file."""
    match recipe:
        case None:
            return yaml_file.Source("recipe", {}), Path.cwd()
        case Mapping():
            return yaml_file.Source("recipe", json.loads(json.dumps(recipe, default=json_default))), Path.cwd()
        case Recipe():
            return yaml_file.parse(to_yaml(recipe), "recipe"), Path.cwd()
        case str() | Path():
            path = find(recipe)
            return yaml_file.read(path), path.parent
        case _:
            kinds = "the path of a recipe, the name of a shipped one, a dict or a Recipe"
            raise RecipeError(f"a recipe is {kinds}; found {type(recipe).__name__}; give tables as train=")


def _files(splits: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Return the file(s) of each split; rows in memory are written to a file."""
    texts = {name: _json_lines(table) for name, table in splits.items() if is_table(table)}
    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]
    folder = output.with_name(f"{output.name}.data").absolute() / digest
    for name, text in texts.items():
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / f"{name}.jsonl", text)
    named = {
        name: value if isinstance(value, Mapping) else _paths(value)
        for name, value in splits.items()
        if name not in texts
    }
    return named | {name: str(folder / f"{name}.jsonl") for name in texts}


def _paths(value: Any) -> Any:
    return str(value) if isinstance(value, str | Path) else [str(path) for path in value]


def _json_lines(table: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, default=json_default) + "\n" for row in rows_of(table))


def _proposed(files: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the recipe that `init` proposes."""
    if "train" not in files:
        raise RecipeError("there is nothing to train on; give a recipe, or rows or files as train=")
    columns = changes.get("data", {}).get("columns", {})
    wishes = init.Wishes(
        changes.get("task", {}).get("name"), columns.get("text"), columns.get("text_pair"), columns.get("label")
    )
    paths = [path for value in files.values() for path in ([value] if isinstance(value, str) else value)]
    found = init.propose(paths, changes.get("model", {}).get("name_or_path"), wishes)
    return yaml_file.parse(found.recipe, "recipe").values


def _section(name: str, value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {SHORT[name]: value}


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Apply keys of sections; a section whose `name` changes is replaced."""
    for name, section in changes.items():
        before = values.get(name) or {}
        keep = name not in yaml_file.CHOICES or section.get("name", before.get("name")) == before.get("name")
        values[name] = (dict(before) if keep else {}) | section


def _name(output: Path) -> str:
    """Return a recipe's name from the name of its folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", output.name).strip("-._") or "model"
