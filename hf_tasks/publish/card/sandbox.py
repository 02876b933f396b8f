"""The Jinja sandbox of card templates, which may be a stranger's: they get plain data and can read only templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hf_tasks.publish.card import markdown

ENDING = ".jinja"
"""File name suffix of templates."""


def sandbox(*folders: Path | None) -> Any:
    """Jinja's sandboxed environment with the filters of the card. A template can include the templates of these
    folders, of which the last has precedence, and no other file."""
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    places = [folder for folder in reversed(folders) if folder]
    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(lambda name: _source(name, places)), autoescape=True, finalize=markdown.value,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.globals = {name: environment.globals[name] for name in ("range", "namespace")}
    environment.filters |= {
        "code": markdown.code, "fence": markdown.fence, "literal": markdown.literal, "number": markdown.number,
        "cell": markdown.cell,
    }  # fmt: skip
    return environment


def find_template(name: str, folder: Path) -> Path | None:
    """The file of a template in a folder; None if there is none, or its name or a link points outside the folder."""
    file = (folder / name).resolve()
    inside = name.endswith(ENDING) and file.is_relative_to(folder.resolve())
    return file if inside and file.is_file() else None


def plain(value: Any) -> Any:
    """A copy of nested strings, numbers, lists and dicts. Raises TypeError for any other object."""
    match value:
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case Markup() | None:
            return value
        case bool() | int() | float() | str() if type(value) in (bool, int, float, str):
            return value
    raise TypeError(f"a template gets plain data, not a {type(value).__name__}")


def _source(name: str, places: list[Path]) -> str | None:
    found = next(filter(None, (find_template(name, place) for place in places)), None)
    return found.read_text(encoding="utf-8") if found else None
