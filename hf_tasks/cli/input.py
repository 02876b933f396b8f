"""What a command reads: files, standard input, parts of a run's own data."""

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.cli.options import SplitName

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run


def labelled(run: "Run", data: str | None, split: SplitName, format: str | None, references: list[str] | None) -> Any:
    """The rows of a file, or of a part of the run's own recipe."""
    from hf_tasks.core.errors import RunError
    from hf_tasks.recipe.resolve import resolve
    from hf_tasks.runs import same_data

    if data is not None:
        return read(run, data, format, references or (), labelled=True)
    if references:
        raise RunError("--references: they belong to a file of sources; name it with --data")
    splits = resolve(run.recipe, run.recipe_folder)[1].named()
    if split not in splits:
        raise RunError(f"--split {split}: the run's recipe has no {split} part; give a labelled file with --data")
    if change := same_data.changed(run).get(split):
        print(f"warning: {change}; results.json is about what they were", file=sys.stderr)
    return splits[split]


def read(run: "Run", path: str, format: str | None, targets: Sequence[str] = (), *, labelled: bool) -> Any:
    from hf_tasks.data import read_file

    format = format_of(path, format)
    section = run.recipe.data
    if labelled and format is None:
        format = section.format
    bad_rows = section.bad_rows if labelled else "stop"
    return read_file(
        path, run.recipe.task, format=format, columns=section.columns, labelled=labelled, bad_rows=bad_rows,
        targets=targets,
    )  # fmt: skip


def format_of(path: str, format: str | None) -> str | None:
    """The format of standard input is seen from its beginning."""
    if path != "-" or format is not None:
        return format
    return "jsonl" if _first_bytes().lstrip().startswith(b"{") else "text"


def _first_bytes() -> bytes:
    """What standard input begins with, still there to be read."""
    buffer = sys.stdin.buffer
    return buffer.peek(1) if isinstance(buffer, io.BufferedReader) else b""
