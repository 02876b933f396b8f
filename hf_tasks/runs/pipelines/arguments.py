"""Arguments of pipelines."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from hf_tasks.core.errors import DataError
from hf_tasks.core.section import did_you_mean


def check_names(options: Iterable[str], known: Iterable[str]) -> None:
    """Raise DataError for the first option that is not known."""
    known = list(known)
    for name in options:
        if name not in known:
            raise DataError(f'there is no argument "{name}"{did_you_mean(name, known) or "; remove it"}')


def in_chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items of an iterable in lists of `size`, read when they are needed."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
