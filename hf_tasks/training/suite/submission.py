"""The zip that GLUE's leaderboard takes: a .tsv file for each test file, with the number and prediction of each row."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.core.files import atomic_output
from hf_tasks.runs import input_files
from hf_tasks.runs.run import Run
from hf_tasks.training.seeds import SeedRuns
from hf_tasks.training.suite.section import Cell, SubmissionFile, Suite

TIME = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that equal predictions give equal bytes."""


def write(suite: Suite, cells: Sequence[Cell], column: str, tests: Path, folder: Path) -> Path:
    """Write the predictions of a column for all test files and return the zip. Raises RunError or DataError.

    Of several seeds, the first one predicts.
    """
    wanted = {name: row.test for name, row in suite.rows.items() if row.test}
    if not wanted:
        raise RunError(f"--submission: no row of {suite.name} has a key `test`; name its test files there")
    files = [tests / test.file for of_row in wanted.values() for test in of_row.values()]
    if missing := [file for file in files if not file.is_file()]:
        raise RunError(*(f"{file}: there is no such test file; correct the suite, or --submission" for file in missing))
    runs = {cell.row: _run(cell) for cell in cells if cell.column == column and cell.row in wanted}
    if untrained := [name for name in wanted if name not in runs]:
        raise RunError(*(f"{name}: is not trained, so there is no submission; train it first" for name in untrained))
    path = folder / f"submission-{column}.zip"
    with atomic_output(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for row, of_row in wanted.items():
            for name, test in of_row.items():
                text = as_tsv(predicted(runs[row], tests / test.file, test), test)
                archive.writestr(zipfile.ZipInfo(f"{name}.tsv", TIME), text)
    return path


def as_tsv(predictions: Sequence[Any], test: SubmissionFile) -> str:
    """The text of one file; numbers with three decimals, inside the limits that the test file has."""
    return "".join(["index\tprediction\n", *(f"{i}\t{text}\n" for i, text in enumerate(_texts(predictions, test)))])


def predicted(run: Run, file: Path, test: SubmissionFile) -> list[Any]:
    """The label or number of each row of a test file."""
    section = run.recipe.data
    section = section.model_copy(update={"columns": {**section.columns, **test.columns}})
    split = input_files.read(str(file), run.recipe.task, section, labelled=False)
    rows = run.predict_split(split, f"Predicting {file.name}").predictions
    return [row["label"] if "label" in row else row["score"] for row in rows]


def _texts(predictions: Sequence[Any], test: SubmissionFile) -> Iterator[str]:
    for value in predictions:
        if isinstance(value, str):
            yield test.labels.get(value, value)
        else:
            low, high = test.clip or (value, value)
            yield f"{min(max(value, low), high):.3f}"


def _run(cell: Cell) -> Run:
    path = cell.recipe.output_dir
    group = SeedRuns.load(path) if SeedRuns.is_here(path) else None
    return Run.load(group.folder(group.numbers[0]) if group else path)
