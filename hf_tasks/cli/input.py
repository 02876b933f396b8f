"""What a command reads: files, standard input, splits of a run's own data; and where it may write."""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.cli.options import SplitName

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run

_JSON_OBJECT = re.compile(rb'\s*\{\s*(["}]|$)')
"""The beginning of a JSON object; `{smile} I like` is text."""


def labelled(run: "Run", data: str | None, split: SplitName, format: str | None, references: list[str] | None) -> Any:
    """The rows of a labelled file, or of a split of the run's own recipe."""
    from hf_tasks.core.errors import RunError
    from hf_tasks.recipe.resolve import resolve
    from hf_tasks.runs import same_data

    if data is not None:
        return read(run, data, format, references or (), labelled=True)
    if references:
        raise RunError("--references: they belong to a file of sources; name it with --data")
    splits = resolve(run.recipe, run.recipe_folder)[1].named()
    if split not in splits:
        raise RunError(f"--split {split}: the run's recipe has no {split} split; give a labelled file with --data")
    if change := same_data.changed(run).get(split):
        print(f"warning: {change}; results.json describes the former files", file=sys.stderr)
    return splits[split]


def read(run: "Run", path: str, format: str | None, targets: Sequence[str] = (), *, labelled: bool) -> Any:
    """The examples of a file; one with the ending of the training files is read as the run's recipe says."""
    from hf_tasks.data import read_file
    from hf_tasks.data.section import FileOptions

    section = run.recipe.data
    if path == "-" and format is None:
        reading = FileOptions(format_of(path, format))
        if reading.format == "text":
            _check_one_column(run)
    elif format is None and section.is_like(path):
        reading = section.reading
    elif format is None:
        reading = FileOptions(section.format if labelled else None)
    else:
        reading = FileOptions(format, encoding=section.encoding if path != "-" and section.is_like(path) else None)
    bad_rows = section.bad_rows if labelled else "stop"
    return read_file(
        path, run.recipe.task, columns=section.columns, labelled=labelled, bad_rows=bad_rows, targets=targets,
        reading=reading,
    )  # fmt: skip


def check_output(output: Path | None, inputs: Sequence[str | Path], overwrite: bool) -> None:
    """DataError where a command would overwrite its own input, or, without --overwrite, another file."""
    from hf_tasks.core.errors import DataError

    if output is None or not output.is_file():
        return
    if any(Path(one).is_file() and output.samefile(one) for one in inputs):
        raise DataError(f"{output}: is the input; give another file with -o")
    if not overwrite:
        raise DataError(f"{output}: exists already; add --overwrite, or give another file with -o")


def format_of(path: str, format: str | None) -> str | None:
    """The format of standard input is seen from its beginning."""
    if path != "-" or format is not None:
        return format
    return "jsonl" if _JSON_OBJECT.match(_first_line()) else "text"


def _check_one_column(run: "Run") -> None:
    """DataError where lines of plain text are given to a task that needs several columns."""
    from hf_tasks.core.errors import DataError

    pair = {"text_pair"} & run.recipe.data.columns.keys()
    needed = [*run.recipe.task.columns.required, *pair]
    if len(needed) > 1:
        example = ", ".join(f'"{name}": "..."' for name in needed)
        raise DataError(
            f"standard input: a row needs {' and '.join(needed)}; give one JSON object on each line: {{{example}}}"
        )


def _first_line() -> bytes:
    """The beginning of standard input, which stays to be read."""
    buffer = sys.stdin.buffer
    return buffer.peek(1).lstrip().partition(b"\n")[0] if isinstance(buffer, io.BufferedReader) else b""
