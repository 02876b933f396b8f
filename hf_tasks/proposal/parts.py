"""From the files that a user names to the parts of a data set, by the files' names.

train.csv  dev.csv  test.csv                      a part each
train-00000-of-00002.parquet ...                  pieces of one part
train.en  train.de  val.en  val.de                a source and its translation
dev.src  dev.ref0  dev.ref1                       a source and its references
"""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hf_tasks.data.files import COMPRESSED
from hf_tasks.data.find import find
from hf_tasks.data.readers import SUFFIXES, TEXT_SUFFIXES
from hf_tasks.errors import DataError
from hf_tasks.proposal.languages import language_of

PartName = Literal["train", "validation", "test"]
PART_OF: dict[str, PartName] = {
    "train": "train", "training": "train", "dev": "validation", "devel": "validation", "valid": "validation",
    "val": "validation", "validation": "validation", "eval": "validation", "test": "test",
}  # fmt: skip

_PART = re.compile(rf"(?<![A-Za-z])({'|'.join(sorted(PART_OF, key=len, reverse=True))})\d*(?![A-Za-z])", re.IGNORECASE)
_KNOWN = {suffix.removeprefix(".") for suffix in (*SUFFIXES, *TEXT_SUFFIXES)}
_PIECE = re.compile(r"-\d+-of-\d+")
_SOURCE = re.compile(r"src|source|input|orig")
_TARGET = re.compile(r"tgt|trg|target|output|ref|reference|(ref|reference)[._]?\d+")


@dataclass(frozen=True)
class Files:
    """The files of one part."""

    paths: tuple[Path, ...]
    targets: tuple[Path, ...] = ()
    """Of a source that `paths` names: its references, line by line."""


@dataclass(frozen=True)
class Parts:
    files: dict[PartName, Files]
    name: str
    """What the data set is called."""
    left_out: tuple[Path, ...] = ()
    trains: PartName = "train"
    """The part that trains, where none is called so."""


def find_parts(arguments: Sequence[str]) -> Parts:
    """The parts that files, globs, or a folder make. Raises DataError."""
    folders = [argument for argument in arguments if Path(argument).is_dir()]
    if folders and len(arguments) > 1:
        raise DataError(f"{folders[0]}: is a folder; give one folder alone, or files")
    paths = _data_files(Path(folders[0])) if folders else find(arguments, [Path()])
    sides = _parallel(paths, ordered=not folders)
    alone = [path for path in paths if not folders or ending(path).lower() in _KNOWN]
    if not sides and not alone:
        raise DataError(f"{folders[0]}: the folder has no data files; known endings are {' '.join(SUFFIXES)} .txt")
    groups = _grouped(sides or {path: Files((path,)) for path in alone})
    best = max(groups.values(), key=lambda parts: (len(parts), _size(parts))) if folders else _all(groups)
    trains: PartName = "train" if "train" in best else next(iter(best))
    files = {"train": best[trains], **{name: one for name, one in best.items() if name != trains}}
    used = {path for one in best.values() for path in (*one.paths, *one.targets)}
    return Parts(
        {name: files[name] for name in ("train", "validation", "test") if name in files},
        _name(folders[0] if folders else None, files["train"]),
        tuple(path for path in paths if path not in used),
        trains,
    )


def stem(path: Path) -> str:
    """The name without the ending and what compressed it."""
    return (path.with_suffix("") if path.suffix.lower() in COMPRESSED else path).stem


def ending(path: Path) -> str:
    """The ending without its dot and without what compressed it."""
    return (path.with_suffix("") if path.suffix.lower() in COMPRESSED else path).suffix.removeprefix(".")


def _data_files(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as e:
        raise DataError(f"{folder}: cannot be read: {e.strerror}") from None
    return [path for path in found if ending(path).lower() in _KNOWN or _side(path)]


def _side(path: Path) -> str | None:
    """ "source", "target" or a language, by the ending."""
    last = ending(path)
    if _SOURCE.fullmatch(last):
        return "source"
    return "target" if _TARGET.fullmatch(last) else language_of(last)


def _parallel(paths: Sequence[Path], *, ordered: bool) -> dict[Path, Files]:
    """Source files and what belongs to each: files whose names differ in the ending alone."""
    stems: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if _side(path):
            role = _SOURCE.fullmatch(stem(path)) or _TARGET.fullmatch(stem(path).partition(".")[0])
            stems[str(path.parent / ("" if role else stem(path)))].append(path)
    sides = {name: several for name, several in stems.items() if len(several) > 1}
    found = {}
    for several in sides.values():
        first, *others = several if ordered else sorted(several, key=_source_first)
        found[first] = Files((first,), tuple(others))
    return found


def _source_first(path: Path) -> tuple[int, str]:
    named = _SOURCE.fullmatch(stem(path)) is not None
    return {"source": 0, "en": 2, "target": 4}.get(_side(path) or "", 3) - 3 * named, path.name


def _grouped(files: dict[Path, Files]) -> dict[str, dict[PartName, Files]]:
    """Name without the word for the part -> part -> its files."""
    groups: dict[str, dict[PartName, Files]] = defaultdict(dict)
    for path, one in files.items():
        name = _PIECE.sub("", path.name)
        match = _PART.search(name)
        part = PART_OF[match[1].lower()] if match else "train"
        key = _PART.sub("{}", name, count=1) if match else f"no part{Path(name).suffix}"
        groups[key][part] = _joined(groups[key].get(part), one)
    return groups


def _joined(before: Files | None, more: Files) -> Files:
    """The files of one part; of several sources with targets the first one, as a recipe names one."""
    if before is None or before.targets:
        return before or more
    return Files(before.paths + more.paths)


def _all(groups: dict[str, dict[PartName, Files]]) -> dict[PartName, Files]:
    """Files that were named one by one are all used."""
    together: dict[PartName, Files] = {}
    for parts in groups.values():
        for part, one in parts.items():
            together[part] = _joined(together.get(part), one)
    return together


def _size(parts: dict[PartName, Files]) -> int:
    return sum(path.stat().st_size for files in parts.values() for path in files.paths)


def _name(folder: str | None, train: Files) -> str:
    """The folder's name; that of the file, unless it is a part's."""
    path = train.paths[0]
    above = Path(os.path.abspath(folder or path.parent)).name  # noqa: PTH100
    whole = stem(path)
    own = _PART.sub("", _PIECE.sub("", whole)).strip("._- ")
    name = own if own == whole and not _SOURCE.fullmatch(own) else f"{above}-{own}" if own not in ("", whole) else above
    name = above if folder else name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-") or "recipe"
