"""Resolve checkpoint names: a Hub id, a folder, or an installed package."""

import contextlib
import pkgutil
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hf_tasks.core.errors import RunError
from hf_tasks.core.section import did_you_mean

PACKAGE = "package:"
HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")


def resolve_checkpoint(name_or_path: str) -> str:
    """Return the argument for `from_pretrained`; `package:NAME` becomes the folder in NAME that holds config.json.

    Raises RunError if the folder or package does not exist.
    """
    if not name_or_path.startswith(PACKAGE):
        folder = Path(name_or_path).expanduser()
        if not folder.is_dir() and not HUB_ID.fullmatch(name_or_path):
            raise RunError(
                f"model.name_or_path: there is no folder {name_or_path}; give a folder, a Hub id or package:NAME"
            )
        return str(folder) if folder.is_dir() else name_or_path
    name = name_or_path.removeprefix(PACKAGE)
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise RunError(f"model.name_or_path: no package {name!r} is installed{near_package(name)}")
    configs = sorted(Path(spec.submodule_search_locations[0]).rglob("config.json"), key=lambda p: len(p.parts))
    weights = [c.parent for c in configs if (c.parent / "model.safetensors").exists()]
    if not weights:
        raise RunError(
            f"model.name_or_path: the package {name!r} carries no checkpoint (config.json, model.safetensors)"
        )
    return str(weights[0])


def near_package(name: str) -> str:
    """Return the advice for a package that is not installed: the closest installed name.

    It never suggests installing an unknown name: the name may be a typo that an attacker has registered.
    """
    near = did_you_mean(name.replace("-", "_"), (module.name for module in pkgutil.iter_modules() if module.ispkg))
    return near.replace('"', f'"{PACKAGE}', 1) if near else "; check the name, or install the package that you mean"


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide transformers' progress bar and its warning about newly initialized weights, which every fine-tuning has."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
