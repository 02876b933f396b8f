"""`report`: one self-contained HTML file about a run: results, errors, calibration, slices, training, resources.

report(run) -> Path     the file; by default report.html in the run's directory

    run + data files -> sections of blocks (values) -> templates -> one page
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hf_tasks.core.errors import RunError, UserError
from hf_tasks.core.files import write_text
from hf_tasks.core.untrusted import malformed_as_run_error
from hf_tasks.publish.report import overview, slices
from hf_tasks.publish.report.blocks import Block, Paragraph, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit, load, values_of
from hf_tasks.publish.report.page import page
from hf_tasks.publish.results_view import SPLITS
from hf_tasks.publish.views import view_of
from hf_tasks.runs.contained import check_inside
from hf_tasks.runs.run import Run

__all__ = ["FILE", "examined", "report", "write"]

FILE = "report.html"


def report(
    run: Run,
    output: Path | None = None,
    columns: Sequence[str] = (),
    *,
    attention: Sequence[str] = (),
    probe: bool = False,
) -> Path:
    """Write the report and return its path. `columns`: columns of the data files whose values are slices;
    `attention`: examples, such as `test.csv:17`, whose attention is drawn; `probe`: whether each layer is probed.

    Raises RunError if the folder of the file does not exist, the data files have no such column or example, or the
    model or task cannot be shown in this way.
    """
    return write(run.path, output or run.path / FILE, lambda: _html(run, columns, attention, probe=probe))


def write(folder: Path, output: Path, make: Callable[[], str]) -> Path:
    """Write the HTML that `make` returns about the run or runs in a folder, and return the file. Raises RunError."""
    if not output.parent.is_dir():
        raise RunError(f"{output.parent}: there is no such folder; create it first")
    if output.is_dir():
        raise RunError(f"{output}: is a folder; name a file with -o, for example {output / FILE}")
    if output == folder / FILE:
        check_inside(folder, output)
    with malformed_as_run_error(folder):
        html = make()
    try:
        write_text(output, html)
    except OSError as e:
        raise RunError(f"{output}: cannot be written: {e.strerror}; name another file with -o") from None
    return output


def _html(run: Run, columns: Sequence[str], attended: Sequence[str], *, probe: bool) -> str:
    splits, missing = _measured(run)
    options = [*(f"--slice {name}" for name in columns), *(f"--attention {name}" for name in attended)]
    if (options or probe) and not splits:
        raise RunError(f"{[*options, '--probe'][0]}: there are no examples to show; {' '.join(missing)}")
    with malformed_as_run_error(run.path / "predictions"):
        found = list(examined(splits, columns))
    sections = [
        ReportSection("Missing data", [Paragraph(text) for text in missing]),
        overview.results(run, nested=not splits),
        *found,
        overview.curves(run),
        overview.layers(run),
        *_inside(splits, attended, probe=probe),
        overview.data(run, splits),
        overview.resources(run),
    ]
    return page(run.recipe.name, overview.header(run, splits), sections)


def _inside(splits: Sequence[MeasuredSplit], attended: Sequence[str], *, probe: bool) -> Iterator[ReportSection]:
    """What the layers of the model do: attention of chosen examples, probing."""
    if attended:
        from hf_tasks.publish.report import attention

        yield attention.section(splits, attended)
    if probe:
        from hf_tasks.publish.report import probing

        yield probing.section(splits[0])


def _measured(run: Run) -> tuple[list[MeasuredSplit], list[str]]:
    """The evaluated splits whose examples can be read, test first; and why others cannot."""
    splits, missing = [], []
    for name in [split for split in reversed(SPLITS) if split in run.results]:
        try:
            splits.append(load(run, name))
        except UserError as e:
            missing.append(f"No examples of {name} are shown: {str(e).splitlines()[0]}")
    return splits, missing


def examined(splits: Sequence[MeasuredSplit], columns: Sequence[str]) -> Iterator[ReportSection]:
    """The sections of the task, and the slices of the first split."""
    if not splits:
        return
    yield from view_of(splits[0].task).sections(splits)
    yield ReportSection(f"Slices of {splits[0].name}", list(_slices(splits[0], columns)))


def _slices(measured: MeasuredSplit, columns: Sequence[str]) -> Iterator[Block]:
    scorer = measured.scorer
    yield slices.table("By length", list(slices.by_length(measured)), scorer)
    if measured.task.traits.class_labels:
        yield slices.table("By label", slices.by_label(measured), scorer, lowest_first=True)
    for column in columns:
        yield slices.table(f"By {column}", slices.by_value(values_of(measured, column)), scorer)
