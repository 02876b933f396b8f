"""Find the data files that a recipe names."""

import difflib
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from hf_tasks.core.checkpoint_paths import near_package
from hf_tasks.core.errors import DataError
from hf_tasks.core.shipped import FOLDER as SHIPPED


def folders(data_dir: str | None, recipe_dir: Path | None) -> list[Path]:
    """Return the folders in which relative paths are looked up, in order. Raises DataError.

    Only `data_dir` if it is given; else the current directory, the recipe's folder, the folder of the shipped recipes.
    """
    usual = [Path(), *([recipe_dir] if recipe_dir else []), SHIPPED]
    return [folder_of(data_dir, usual)] if data_dir else usual


def find(patterns: Iterable[str], folders: Sequence[Path]) -> list[Path]:
    """Return the files that match the paths or globs in the first folder that has any, without duplicates.

    The files of a glob are sorted by name. Raises DataError with all paths that are not found.
    """
    found: dict[Path, None] = {}
    problems: list[str] = []
    for pattern in patterns:
        if not pattern.strip():
            problems.append("the path is empty; name a file or a glob")
            continue
        matches = next(filter(None, (_matches(folder / Path(pattern).expanduser()) for folder in folders)), [])
        problems += [_missing(pattern, folders)] if not matches else _unreadable(matches)
        found |= dict.fromkeys(matches)
    if problems:
        raise DataError(*problems)
    return list(found)


def folder_of(data_dir: str, folders: Sequence[Path]) -> Path:
    """Return the folder for `data_dir`: a path, or `package:NAME/sub/folder` in an installed Python package."""
    if data_dir.startswith("package:"):
        name, _, below = data_dir.removeprefix("package:").partition("/")
        spec = find_spec(name) if name.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise DataError(f"data.data_dir: no package {name!r} is installed{near_package(name)}")
        candidates = [Path(place) / below for place in spec.submodule_search_locations]
    else:
        candidates = [folder / data_dir for folder in folders]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"data.data_dir: there is no folder {data_dir}{_guess(candidates) or '; give the folder that holds the files'}"
    )


def _matches(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    if not glob.has_magic(str(path)):
        return []
    names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute patterns)
    return [Path(name) for name in names if Path(name).is_file()]


def _missing(pattern: str, folders: Sequence[Path]) -> str:
    if glob.has_magic(pattern):
        return f"{pattern}: no file matches; give another glob, or the path of a file"
    paths = [folder / pattern for folder in folders]
    if re.fullmatch(r"[\w.-]+/[\w-]+", pattern) and not any(path.parent.is_dir() for path in paths):
        remedy = f"for a dataset of the Hub, write data.path: {pattern} and the name of its split as data.train"
        return f"{pattern}: there is no such file; {remedy}"
    return f"{pattern}: there is no such file{_guess(paths) or '; give the path of a file'}"


def _guess(paths: Sequence[Path]) -> str:
    """Return `; did you mean "x"?` for the closest existing name, `; there is no folder x`, or an empty string."""
    for path in paths:
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        if close := difflib.get_close_matches(path.name, names, n=1, cutoff=0.6):
            return f'; did you mean "{path.parent / close[0]}"?'
    folders = [path.parent for path in paths]
    return "" if any(folder.is_dir() for folder in folders) else f"; there is no folder {folders[0]}"


def _unreadable(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        if path.is_dir():
            yield f"{path}: is a folder, not a file; name its files with a glob such as {path}/*.csv"
        elif not os.access(path, os.R_OK):
            yield f"{path}: permission to read the file is denied; change it with chmod"
