"""Reader of parallel text files: line i of the target belongs to line i of the source.

train.en  A dog runs.
train.de  Ein Hund rennt.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hf_tasks.core.errors import DataError
from hf_tasks.data.paths import find
from hf_tasks.data.readers.compression import lines, opened
from hf_tasks.data.readers.delimited import Rows
from hf_tasks.data.section import Parallel


def files(named: Parallel, folders: Sequence[Path]) -> list[tuple[str, list[str]]]:
    """Return (source file, files of its references) for each file that matches the source's pattern.

    A target pattern must match the same number of files, which are paired in the order of their names. Raises
    DataError.
    """
    sources = find([named.source], folders)
    references = [find([pattern], folders) for pattern in named.targets]
    for pattern, found in zip(named.targets, references, strict=True):
        if len(found) != len(sources):
            raise DataError(
                f"{named.source} matches {_count(len(sources), 'file')} and {pattern} matches {len(found)}; "
                "each source file needs its target file"
            )
    return [(str(source), [str(found[i]) for found in references]) for i, source in enumerate(sources)]


def rows(source: str, targets: Sequence[str], *, labelled: bool) -> Rows:
    """Yield the rows of a source file: `source`, and `target`, the list of references.

    Raises DataError if the files have different numbers of lines.
    """
    texts = list(_texts(source))
    references = [list(_texts(target)) for target in targets] if labelled else []
    different = [
        f"{target} has {_count(len(found), 'line')}, {source} has {len(texts)}; line i of one must belong to line i of "
        "the other"
        for target, found in zip(targets, references, strict=False)
        if len(found) != len(texts)
    ]
    if different:
        raise DataError(*different)
    for number, (text, *several) in enumerate(zip(texts, *references, strict=True), 1):
        empty = [f"{target}:{number}" for target, one in zip(targets, several, strict=False) if not one.strip()]
        if empty and text.strip():
            yield number, ValueError(f"its target, {empty[0]}, is empty; write it, or remove the line from all files")
        else:
            yield number, {"source": text} | ({"target": several} if several else {})


def _texts(path: str) -> Iterator[str]:
    with opened(path) as file:
        for line in lines(file, path):
            yield line.removesuffix("\n").removesuffix("\r")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
