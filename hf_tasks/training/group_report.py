"""The report and the card of several runs of one recipe: the spread of the metrics, of folds all predictions too."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.core.terminal import seconds, short
from hf_tasks.publish.card import metadata
from hf_tasks.publish.card.markdown import code, value
from hf_tasks.publish.report import FILE, examined, write
from hf_tasks.publish.report.blocks import Paragraph, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.report.overview import wrong_predictions
from hf_tasks.publish.report.page import cell, page
from hf_tasks.publish.results_view import Headline, Interval, Table, headline, tables
from hf_tasks.runs.run import Run
from hf_tasks.training.folds import FoldRuns
from hf_tasks.training.run_group import LEVEL, SPLITS
from hf_tasks.training.seeds import SeedRuns

Group = SeedRuns | FoldRuns


def report(group: Group, output: Path | None = None, columns: Sequence[str] = ()) -> Path:
    """Write the report of all runs and return its path. `columns`: columns of the data whose values are slices of the
    predictions of all folds. Raises RunError."""
    return write(group.path, output or group.path / FILE, lambda: _html(group, columns))


def _html(group: Group, columns: Sequence[str]) -> str:
    measured = _measured(group)
    if columns and not measured:
        first = group.folder(group.numbers[0])
        raise RunError(f"--slice {columns[0]}: slices are those of one run; name it, e.g. {first}")
    sections = [
        ReportSection("Results", list(_spread(group))),
        *examined(measured, columns),
        ReportSection("Runs", [_runs(group)]),
    ]
    return page(_first(group).recipe.name, _header(group, measured), sections)


def card(group: Group) -> str:
    """Return a Markdown page: the results over all runs, and the folder of each."""
    recipe, results = _first(group).recipe, _first(group).results
    lines = [
        f"# {value(recipe.name)}: {len(group.numbers)} {group.kind}s", "",
        f"Task: {recipe.task.name}. Base model: {value(metadata.base_name(recipe, results) or recipe.model.title)}. "
        f"Method: {recipe.method.name}.", "",
    ]  # fmt: skip
    for block in [*_spread(group), _runs(group)]:
        lines += _table(block) if isinstance(block, Table) else [value(block.text), ""]
    lines.append(f"Each run has a card of its own: {code(f'hf-tasks card {group.folder(group.numbers[0])}')}.")
    return "\n".join(lines) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield from [f"## {value(table.title)}", ""]
    yield f"| {' | '.join(map(value, table.columns))} |"
    yield f"| {' | '.join('---:' if numeric else '---' for numeric in table.numeric)} |"
    yield from (f"| {' | '.join(value(cell(one)) for one in row)} |" for row in table.rows)
    yield ""


def _first(group: Group) -> Run:
    return group.runs[group.numbers[0]]


def _measured(group: Group) -> list[MeasuredSplit]:
    """The predictions of all folds as one split; of seeds nothing."""
    if isinstance(group, SeedRuns):
        return []
    found = group.out_of_fold()
    runs = [group.runs[int(fold)] for fold in found.fold]
    return [MeasuredSplit(_first(group), "all folds", found.split, found.predictions, runs)]


def _spread(group: Group) -> Iterator[Table | Paragraph]:
    """A table of each split over the runs, and of folds the metrics of all predictions together."""
    if isinstance(group, FoldRuns):
        pooled = group.results["pooled"]
        yield Paragraph(f"{pooled['n']:,} examples, each predicted by the run that did not train on it.")
        for table in tables(pooled):
            yield Table(table.title or "All folds together", table.columns, table.rows)
    for split in (name for name in SPLITS if name in group.results):
        rows = group.results[split]
        with_interval = any(row.get("interval") for row in rows.values())
        ends = [f"{LEVEL:.0%} interval"] if with_interval else []
        columns = [
            "metric",
            "mean",
            "std",
            "min",
            "max",
            *ends,
            *(f"{group.kind} {number}" for number in group.numbers),
        ]
        cells = [
            [name, row["mean"], row["std"], row["min"], row["max"], *_interval(row, with_interval), *row["values"]]
            for name, row in rows.items()
        ]
        yield Table(f"On {split}, over {len(group.numbers)} {group.kind}s", columns, cells)
        if with_interval and len(group.numbers) < group.few:
            yield Paragraph("The intervals of the mean (Student's t) assume a normal distribution.")


def _interval(row: dict[str, Any], shown: bool) -> list[Interval | None]:
    ends = row.get("interval")
    return [Interval(*ends) if ends else None] if shown else []


def _runs(group: Group) -> Table:
    rows = []
    for number, run in group.runs.items():
        training = run.results.get("training", {})
        kept = short(training.get("kept_epoch") or training.get("epochs", 0))
        rows.append([str(number), run.path.name, kept, seconds(training.get("seconds", 0))])
    return Table(f"The {len(rows)} runs", [group.kind, "folder", "kept epoch", "total time"], rows)


def _header(group: Group, measured: Sequence[MeasuredSplit]) -> dict[str, Any]:
    """The values above the sections."""
    recipe, results, several = _first(group).recipe, _first(group).results, f"{len(group.numbers)} {group.kind}s"
    tiles = [
        ("base model", metadata.base_name(recipe, results) or recipe.model.title), ("method", recipe.method.name),
        ("runs", several),
    ]  # fmt: skip
    score = headline(results)
    spread = group.results.get(score.split, {}).get(score.name) if score else None
    verdict = []
    if score and spread:
        std = f", with a standard deviation of {spread['std']:.4f}" if spread["std"] is not None else ""
        verdict.append(f"{score.name} is {spread['min']:.4f} to {spread['max']:.4f} over {several}{std}.")
        ends = spread.get("interval")
        score = Headline(
            f"mean {score.name}", score.split, score.n, spread["mean"], Interval(*ends) if ends else None, None
        )
    beaten = [one.beats_baseline for run in group.runs.values() if (one := headline(run.results))]
    if beaten and None not in beaten:
        verdict.append(f"{sum(map(bool, beaten))} of {several} beat the baseline ({results['baseline']['what']}).")
    for split in measured:
        pooled = headline({"test": group.results["pooled"]})
        score = Headline(pooled.name, split.name, pooled.n, pooled.value, pooled.interval, None) if pooled else score
        if (wrong := wrong_predictions(split)) is not None:
            verdict.append(f"{wrong:,} of {len(split.answers):,} predictions are wrong.")
    return {"name": recipe.name, "task": recipe.task.name, "score": score, "tiles": tiles, "verdict": verdict}
