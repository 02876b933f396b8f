"""Section: base class of the sections of a recipe; its fields are the section's keys.

Sections with the options of another library keep that library's names. `mirror` reads the names and types from the
installed source, without importing the library, which would take seconds.
"""

import ast
import difflib
import types
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, create_model


class Section(BaseModel):
    """Frozen model whose fields are recipe keys; unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    def given(self) -> dict[str, Any]:
        """Return the keys that were set explicitly, with their values."""
        return self.model_dump(exclude_unset=True)


NO_SOURCE = {"use_attribute_docstrings": False}
"""For `create_model`: a class without source has no docstrings, and pydantic takes 0.1 s to find that out."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def sections_of(annotation: Any) -> list[type[Section]]:
    """Return the Section classes in a type annotation (also in unions and Annotated)."""
    todo, found = [annotation], list[type[Section]]()
    while todo:
        kind = todo.pop()
        if get_origin(kind) in (Union, types.UnionType):
            todo.extend(get_args(kind))
        elif get_origin(kind) is Annotated:
            todo.append(get_args(kind)[0])
        elif isinstance(kind, type) and issubclass(kind, Section):
            found.append(kind)
    return found[::-1]


@cache
def mirror(module: str, class_name: str) -> type[Section]:
    """Return a Section class with the fields of a dataclass of another installed library, all of them optional.

    Values with simple annotations (numbers, strings, flags, lists, dicts) are type-checked, others are not.
    Raises ModuleNotFoundError if the library is not installed.
    """
    annotated = (
        n for n in _class_body(module, class_name) if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    )
    fields = {n.target.id: (plain_type(n.annotation), None) for n in annotated}  # type: ignore[union-attr]
    return create_model(  # type: ignore[call-overload, no-any-return]
        class_name, __base__=Section, __cls_kwargs__=NO_SOURCE, **fields
    )


@cache
def enum_values(module: str, class_name: str) -> tuple[str, ...]:
    """Return the string values of an enumeration of another installed library, read from its source."""
    assigned = (n.value for n in _class_body(module, class_name) if isinstance(n, ast.Assign))
    return tuple(str(value.value) for value in assigned if isinstance(value, ast.Constant))


def _class_body(module: str, class_name: str) -> list[ast.stmt]:
    """Return the statements of a class in the source of an installed module. Raises ModuleNotFoundError."""
    classes = (n for n in _parsed(module).body if isinstance(n, ast.ClassDef) and n.name == class_name)
    return next(classes).body


@cache
def _parsed(module: str) -> ast.Module:
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the library {top!r} is not installed; install it with: pip install {top}")
    source = Path(spec.submodule_search_locations[0], *rest).with_suffix(".py")
    return ast.parse(source.read_text(encoding="utf-8"))


_PLAIN = {t.__name__: t for t in (str, int, float, bool, list, dict)} | {
    "None": None, "Any": Any, "Union": Union, "Optional": Optional, "Literal": Literal,
}  # fmt: skip


def plain_type(annotation: ast.expr) -> Any:
    """Return the type that an annotation denotes, or Any if it uses names of its own library."""
    nodes = list(ast.walk(annotation))
    names = {n.id for n in nodes if isinstance(n, ast.Name)}
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    quoted = bool(texts) and ("Literal" not in names or any("[" in text for text in texts))  # or a pattern of names
    if quoted or not names <= _PLAIN.keys() or any(isinstance(n, ast.Attribute) for n in nodes):
        return Any
    return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, _PLAIN) | None
