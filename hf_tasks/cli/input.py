"""Inputs of commands (files, standard input, a text, a split of the run's data) and the check of output files."""

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.cli.options import Dtype, SplitName

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run
    from hf_tasks.training.folds import FoldRuns
    from hf_tasks.training.seeds import SeedRuns

_JSON_OBJECT = re.compile(rb'\s*\{\s*(["}]|$)')
"""The beginning of a JSON object; `{smile} I like` is text."""


def run_and_input(run: str, input: str | None, model: str | None) -> tuple[str, str]:
    """The arguments of `predict`: RUN INPUT, or INPUT alone with --model."""
    from hf_tasks.core.errors import RunError

    if model is not None and input is not None:
        raise RunError("--model: takes the place of a run; give the input alone")
    if model is None and input is None:
        raise RunError(f"{run}: no input to predict; add a data file, a text in quotes, or - for standard input")
    return ("", run) if input is None else (run, input)


def predictor(run: str, overrides: Sequence[str], model: str | None, task: str | None, dtype: Dtype) -> Any:
    """The run, or with --model the checkpoint, that predicts."""
    from hf_tasks import load_run
    from hf_tasks.core.errors import RunError

    if model is None:
        if task is not None:
            raise RunError("--task: belongs to --model; a run knows its task")
        return load_run(run, overrides, dtype=dtype)
    if overrides:
        raise RunError("--set: changes the decoding of a run; remove it, or --model")
    if dtype != "float32":
        raise RunError("--dtype: is for runs; remove it, or --model")
    from hf_tasks.runs.pipelines.predictor import CheckpointPredictor

    return CheckpointPredictor.load(model, task)


def several(run: str) -> "SeedRuns | FoldRuns | None":
    """Load the runs of several seeds or folds in a directory; None for another one, without importing training."""
    from hf_tasks.runs.listing import GROUPS

    if not any((Path(run) / f"{kind}s.json").is_file() for kind in GROUPS):
        return None
    from hf_tasks.training.groups import group_at

    return group_at(run)


def default_split(run: "Run", data: str | None, references: list[str] | None) -> SplitName:
    """The split to evaluate: test; where the recipe has none, validation, and a line says so."""
    section = run.recipe.data
    if data or references or section.split("test") or section.fold or section.no_validation:
        return "test"
    print("the run's recipe has no test split: these are the scores on validation", file=sys.stderr)
    return "validation"


def labelled(run: "Run", data: str | None, split: SplitName, format: str | None, references: list[str] | None) -> Any:
    """Read a labelled file, or a split of the run's recipe."""
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
    """Read the examples of a file; one with the ending of the training files is read with the options of the recipe."""
    from hf_tasks.runs import input_files

    if path == "-" and format is None:
        format = format_of(path, format)
        if format == "text":
            _check_one_column(run, "standard input")
    task, section = run.recipe.task, run.recipe.data
    return input_files.read(
        path, task, section, format=format, labelled=labelled, targets=targets, keep_rows=not labelled
    )


def read_text(run: "Run", text: str) -> Any:
    """Read the example in an argument: a text or a JSON object."""
    from hf_tasks.core.errors import DataError
    from hf_tasks.data import read_rows

    if not _JSON_OBJECT.match(text.encode()):
        _check_one_column(run, "a text")
        return read_rows([{run.recipe.task.traits.inputs[0]: text}], run.recipe.task, labelled=False)
    try:
        row = json.loads(text)
    except ValueError as e:
        raise DataError(f"{text}: not valid JSON: {e}; correct it") from None
    return read_rows([row], run.recipe.task, labelled=False, columns=run.recipe.data.columns)


def is_text(input: str) -> bool:
    """Whether an argument is a text rather than a path: there is no such file, and it does not look like a path."""
    from hf_tasks.core.errors import DataError
    from hf_tasks.data.paths import find
    from hf_tasks.data.readers import SUFFIXES, TEXT_SUFFIXES, bare

    if input == "-":
        return False
    with contextlib.suppress(DataError):
        return not find([input], [Path()])
    like_a_path = bare(Path(input)).suffix.lower() in (*SUFFIXES, *TEXT_SUFFIXES) or os.sep in input
    return bool(input.strip()) and (not like_a_path or any(char.isspace() for char in input.strip()))


def check_output(output: Path | None, inputs: Sequence[str | Path], overwrite: bool) -> None:
    """Raise DataError if a command would overwrite its input or, without --overwrite, another file."""
    from hf_tasks.core.errors import DataError

    if output is None or not output.is_file():
        return
    if any(output.samefile(file) for one in inputs for file in _files(str(one))):
        raise DataError(f"{output}: is the input; give another file with -o")
    if not overwrite:
        raise DataError(f"{output}: exists already; add --overwrite, or give another file with -o")


def _files(input: str) -> Sequence[Path]:
    """Return the files that an input names, by a path or a glob."""
    from hf_tasks.core.errors import DataError
    from hf_tasks.data.paths import find

    with contextlib.suppress(DataError):
        return find([input], [Path()])
    return ()


def format_of(path: str, format: str | None) -> str | None:
    """Return the given format, or detect that of standard input from its first line."""
    if path != "-" or format is not None:
        return format
    return "jsonl" if _JSON_OBJECT.match(_first_line()) else "text"


def _check_one_column(run: "Run", place: str) -> None:
    """Raise DataError for lines of plain text if the task needs several columns."""
    from hf_tasks.core.errors import DataError

    pair = {"text_pair"} & run.recipe.data.columns.keys()
    needed = list(dict.fromkeys([*run.recipe.task.columns.required, *pair]))
    if len(needed) > 1:
        lists = run.recipe.task.columns.lists
        values = {name: ["...", "..."] if name in lists else "..." for name in needed}
        object = "one JSON object on each line" if place == "standard input" else "a JSON object"
        raise DataError(f"{place}: a row needs {' and '.join(needed)}; give {object}: {json.dumps(values)}")


def _first_line() -> bytes:
    """Return the first line of standard input without consuming it."""
    buffer = sys.stdin.buffer
    return buffer.peek(1).lstrip().partition(b"\n")[0] if isinstance(buffer, io.BufferedReader) else b""
