"""`suite`: train a list of recipes, each with several methods or models, and show their scores in one table.

DIR/COLUMN/ROW                        the run of a cell, or the runs of its seeds
DIR/logs/COLUMN-ROW.txt               the output of its training
DIR/suite.md, suite.csv, suite.html   the table; after every training
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_tasks.core import distributed
from hf_tasks.core.errors import RunError, UserError
from hf_tasks.core.files import write_errors, write_text
from hf_tasks.core.shipped import find_suite
from hf_tasks.core.terminal import say
from hf_tasks.runs.status import locked
from hf_tasks.training import seeds
from hf_tasks.training.log_file import logged
from hf_tasks.training.suite import scores, submission, tables
from hf_tasks.training.suite.section import Cell, Suite, cells, load


@dataclass(frozen=True)
class SuiteRuns:
    """A suite with the trainings that belong to it."""

    suite: Suite
    cells: Sequence[Cell]
    """Those that did not fail."""
    folder: Path
    failed: Sequence[str] = ()
    """Why the others failed, one line each."""

    def table(self) -> str:
        """The table for the terminal."""
        return tables.terminal(self.suite, scores.lines(self.suite, self.cells))

    def write(self) -> None:
        """Write the table as Markdown, CSV and HTML."""
        found = scores.lines(self.suite, self.cells)
        with write_errors(self.folder):
            for ending, make in (("md", tables.markdown), ("csv", tables.as_csv), ("html", tables.html)):
                write_text(self.folder / f"suite.{ending}", make(self.suite, found))


def run(path: str | Path, overrides: Sequence[str] = (), *, output_dir: Path | None = None) -> SuiteRuns:
    """Train what is not trained yet of a suite file, or of a shipped suite, and write its table.

    The same call continues after an interruption. A training that fails is left out; the others go on. Raises
    RecipeError if a recipe or the suite is wrong, before anything is trained.
    """
    if distributed.world_size() > 1:
        raise RunError("a suite is one process; start it without a launcher")
    file = find_suite(path)
    suite = load(file, overrides)
    folder = output_dir or Path("suites") / suite.name
    todo = cells(suite, file.parent, folder)
    failed: dict[Cell, str] = {}
    with locked(folder):
        for number, cell in enumerate(todo, 1):
            name = cell.row if len(suite.columns) == 1 else f"{cell.row}, {cell.column}"
            say(f"{number} of {len(todo)}: {name}")
            if problem := _trained(cell, folder / "logs" / f"{cell.column}-{cell.row}.txt"):
                failed[cell] = f"{name}: {problem}"
                say(f"failed: {problem}")
            found = SuiteRuns(suite, [one for one in todo if one not in failed], folder, list(failed.values()))
            found.write()
    return found


def submit(runs: SuiteRuns, tests: Path) -> list[Path]:
    """Predict the test files in the folder `tests` and write a zip for each column. Raises RunError or DataError."""
    return [submission.write(runs.suite, runs.cells, column, tests, runs.folder) for column in runs.suite.columns]


def _trained(cell: Cell, log: Path) -> str:
    """Train a cell, or find that it is trained; return why that failed, or "". Signals and a full disk are raised."""
    from hf_tasks.training import train

    try:
        with logged(log):
            (seeds.train if cell.recipe.seeds else train)(cell.recipe, recipe_dir=cell.recipe_dir)
    except UserError as e:
        if isinstance(e.__cause__, OSError):
            raise
        return e.problems[0]
    return ""
