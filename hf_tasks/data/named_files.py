"""Find and hash the data files that a recipe names, without reading their rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hf_tasks.core.errors import DataError
from hf_tasks.core.hashing import cached_sha256
from hf_tasks.data.paths import find, folders
from hf_tasks.data.readers import parallel
from hf_tasks.data.section import Data, Parallel

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


def file_hashes(section: Data, recipe_dir: Path | None) -> dict[str, dict[str, str]]:
    """Return {split: {file: SHA-256}} as in `DataSplit.files`; a holdout and a fold have the files of train.

    Empty for a dataset of the Hub. Raises DataError if a file is missing.
    """
    if section.path:
        return {}
    if section.mixture:
        each = [file_hashes(one, recipe_dir) for one in section.datasets().values()]
        return {name: {k: v for one in each for k, v in one.get(name, {}).items()} for name in SPLITS
                if any(name in one for one in each)}  # fmt: skip
    places = folders(section.data_dir, recipe_dir)
    found: dict[str, dict[str, str]] = {
        name: _of(named, places) for name in SPLITS if (named := section.split(name)) is not None
    }
    if "train" in found and "validation" not in found and section.validation_size:
        found["validation"] = found["train"]
    if "train" in found and section.folds:
        found["test"] = found["train"]
    return found


def _of(named: str | tuple[str, ...] | Parallel, places: list[Path]) -> dict[str, str]:
    if isinstance(named, Parallel):
        names = [name for source, targets in parallel.files(named, places) for name in (source, *targets)]
    else:
        names = list(map(str, find((named,) if isinstance(named, str) else named, places)))
    return {name: cached_sha256(Path(name)) for name in names}


def missing_files(data: Data, recipe_dir: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (key, message) for each data file that cannot be found. `recipe_dir`: the recipe's folder."""
    for dataset, section in data.datasets().items():
        for key, text in missing_files(section, recipe_dir):
            yield ("data", "mixture", dataset, *key[1:]), text
    try:
        places = folders(data.data_dir, recipe_dir)
    except DataError as e:
        yield from ((("data", "data_dir"), text.removeprefix("data.data_dir: ")) for text in e.problems)
        return
    splits = {} if data.path else {"train": data.train, "validation": data.validation, "test": data.test}
    for name, named in splits.items():
        try:
            match named:
                case Parallel():
                    parallel.files(named, places)
                case _:
                    find((named,) if isinstance(named, str) else named or (), places)
        except DataError as e:
            yield from ((("data", name), text) for text in e.problems)
