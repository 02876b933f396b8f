"""PEFT's types and their keys, read from the source of the installed library: importing peft takes seconds.

Every package in peft/tuners calls `register_peft_method(name="lora", config_cls=LoraConfig, ...)` once, and defines the
class of its keys in config.py.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hf_tasks.core.section import plain_type

OURS = "PeftConfig"
"""The base class whose fields (task type, base checkpoint, ...) are filled in from the recipe."""
PROMPTS = "PromptLearningConfig"


@dataclass(frozen=True)
class PeftType:
    """One of PEFT's types."""

    value: str
    """PEFT's own name, e.g. PREFIX_TUNING."""
    keys: dict[str, Any]
    """The keys of its configuration with their types; Any where PEFT's annotation is not a plain one."""
    learns_prompts: bool
    """Whether it adds tokens to the input and leaves the layers alone."""


@cache
def peft_types() -> dict[str, PeftType]:
    """PEFT's types by their names in a recipe: PEFT's own in lower case, with dashes.

    Raises ModuleNotFoundError where peft is not installed.
    """
    spec = find_spec("peft")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the library 'peft' is not installed; install it with: pip install peft")
    root = Path(spec.submodule_search_locations[0])
    registered = (found for file in sorted(root.glob("tuners/*/__init__.py")) for found in _registered(file))
    return {name.replace("_", "-"): _type(root, name, *place) for name, *place in registered}


def _registered(file: Path) -> Iterator[tuple[str, str, str]]:
    """(name, module of the configuration, its class) of every registration in a package."""
    for call in ast.walk(_parsed(file)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "register_peft_method":
            given = {word.arg: word.value for word in call.keywords}
            yield ast.literal_eval(given["name"]), f"peft.tuners.{file.parent.name}", ast.unparse(given["config_cls"])


def _type(root: Path, name: str, module: str, class_name: str) -> PeftType:
    keys: dict[str, Any] = {}
    bases = set()
    for base, body in _lineage(root, module, class_name):
        bases.add(base)
        fields = [node for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
        keys = {ast.unparse(node.target): plain_type(node.annotation) for node in fields} | keys
    return PeftType(name.upper(), keys, PROMPTS in bases)


def _lineage(root: Path, module: str, class_name: str) -> Iterator[tuple[str, list[ast.stmt]]]:
    """(name, body) of a configuration class and of its bases within PEFT, up to PeftConfig."""
    tree = _parsed(_source(root, module))
    imported = {
        alias.name: node.module
        for node in tree.body if isinstance(node, ast.ImportFrom) and node.module for alias in node.names
    }  # fmt: skip
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            yield node.name, node.body
            for base in map(ast.unparse, node.bases):
                if base != OURS:
                    yield from _lineage(root, imported.get(base, module), base)


def _source(root: Path, module: str) -> Path:
    """The file of a module; of a package, its config.py."""
    place = root.joinpath(*module.split(".")[1:])
    return place / "config.py" if place.is_dir() else place.with_suffix(".py")


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
