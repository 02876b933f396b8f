"""Whether the files that a recipe names are there, before any is read."""

from collections.abc import Iterator
from pathlib import Path

from hf_tasks.data import parallel
from hf_tasks.data.find import find, folders
from hf_tasks.data.section import Data, Parallel
from hf_tasks.errors import DataError


def missing_files(data: Data, beside: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """The data files that cannot be found: (key, what is wrong; what to do). `beside`: the folder of the recipe."""
    try:
        places = folders(data.data_dir, beside)
    except DataError as e:
        yield from ((("data", "data_dir"), text.removeprefix("data.data_dir: ")) for text in e.problems)
        return
    parts = {} if data.path else {"train": data.train, "validation": data.validation, "test": data.test}
    for name, named in parts.items():
        try:
            match named:
                case Parallel():
                    parallel.files(named, places)
                case _:
                    find((named,) if isinstance(named, str) else named or (), places)
        except DataError as e:
            yield from ((("data", name), text) for text in e.problems)
