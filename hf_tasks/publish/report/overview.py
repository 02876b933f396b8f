"""Sections that every report has, whatever the task: header, results, training, layer weights, data, resources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hf_tasks.metrics import is_score
from hf_tasks.publish import plots
from hf_tasks.publish.card import metadata
from hf_tasks.publish.plots import BLUE, GREY, ORANGE, SERIES, Line, Picture
from hf_tasks.publish.report.blocks import Block, Facts, Paragraph, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.results_view import (
    SPLITS,
    Table,
    headline,
    is_number,
    machine_facts,
    tables,
    training_facts,
)
from hf_tasks.runs import json_files
from hf_tasks.runs.run import LOG, RESULTS, Run
from hf_tasks.tasks.types import max_input_length

Points = list[tuple[float, float]]
"""(step, value)"""

SPEEDS = ("runtime", "samples_per_second", "steps_per_second", "score")
"""Keys of an evaluation's log that are not metrics."""
MOST_METRICS = 4
MOST_ROWS = 40


def header(run: Run, splits: Sequence[MeasuredSplit]) -> dict[str, Any]:
    """The values above the sections."""
    recipe, results = run.recipe, run.results
    written = datetime.fromtimestamp((run.path / RESULTS).stat().st_mtime, UTC).isoformat()
    measured = str(results.get("training", {}).get("ended", written))[: len("2026-01-31")]
    tiles = [
        ("base model", metadata.base_name(recipe, results) or recipe.model.title),
        ("method", recipe.method.name),
        ("evaluated", measured),
    ]
    if name := metadata.data_name(recipe):
        tiles.append(("data", name))
    score = headline(results)
    return {
        "name": recipe.name, "task": recipe.task.name, "score": score, "tiles": tiles,
        "verdict": list(_verdict(run, splits)),
    }  # fmt: skip


def _verdict(run: Run, splits: Sequence[MeasuredSplit]) -> Iterator[str]:
    """Sentences: better than the baseline or not, how many errors, which checkpoint was kept."""
    results = run.results
    score, baseline = headline(results), results.get("baseline") or {}
    if score and score.baseline is not None:
        reached = f"{score.name} {score.baseline:.4f} ({baseline['what']})"
        beats = "The model beats the baseline" if score.beats_baseline else "The model does not beat the baseline"
        yield f"{beats}: {reached}."
    for measured in splits[:1]:
        wrong = wrong_predictions(measured)
        if wrong is not None:
            yield f"{wrong:,} of {len(measured.answers):,} predictions on {measured.name} are wrong."
    training = results.get("training", {})
    if training.get("best_step") and training.get("steps"):
        yield f"The checkpoint of step {training['best_step']:,} of {training['steps']:,} was kept."


def wrong_predictions(measured: MeasuredSplit) -> int | None:
    """How many predictions differ from their reference; None for numbers, and where there may be several references."""
    pairs = list(zip(measured.answers, measured.references, strict=True))
    if any(type(answer) is not type(right) or isinstance(answer, float) for answer, right in pairs):
        return None
    return sum(bool(answer != right) for answer, right in pairs)


def curves(run: Run) -> ReportSection:
    """Loss, validation metrics and learning rate over the steps, the best checkpoint marked."""
    file = run.path / LOG
    if not file.is_file():
        return ReportSection("Training", [Paragraph("The training log is missing from the run.")])
    rows = json_files.read_rows(file)
    return ReportSection("Training", list(_curves(rows, run.results.get("training", {}).get("best_step"))))


def _curves(rows: Sequence[Mapping[str, Any]], best: int | None) -> Iterator[Picture]:
    losses = [Line("training", _points(rows, "loss"), BLUE), Line("validation", _points(rows, "eval_loss"), ORANGE)]
    if losses[0].points:
        yield _lines("Loss", "loss", [line for line in losses if line.points], best)
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, float))
    names = [key.removeprefix("eval_") for key in keys if key.startswith("eval_")]  # counts are whole numbers
    metrics = [(name, _points(rows, f"eval_{name}")) for name in names if name not in SPEEDS and is_score(name)]
    scores = list(_different([(name, points) for name, points in metrics if len(points) > 1]))[:MOST_METRICS]
    if scores:
        drawn = [Line(name, points, colour) for (name, points), colour in zip(scores, SERIES, strict=False)]
        yield _lines("Metrics on validation", "value", drawn, best)
    if len(rate := _points(rows, "learning_rate")) > 1:
        yield _lines("Learning rate", "learning rate", [Line("", rate, BLUE)], None)


def _different(series: Sequence[tuple[str, Points]]) -> Iterator[tuple[str, Points]]:
    """Without lines that would coincide with an earlier one."""
    drawn: list[np.ndarray] = []
    for name, points in series:
        values = np.array(points)[:, 1]
        if not any(len(one) == len(values) and np.allclose(one, values, rtol=0.005, atol=0) for one in drawn):
            drawn.append(values)
            yield name, points


def _points(rows: Sequence[Mapping[str, Any]], name: str) -> Points:
    return [(row["step"], row[name]) for row in rows if is_number(row.get(name)) and "step" in row]


def _lines(title: str, label: str, lines: Sequence[Line], best: int | None) -> Picture:
    legend = [(line.colour, line.name) for line in lines if line.name]
    legend += [(GREY, f"best checkpoint (step {best:,})")] if best else []
    return plots.picture(title, lambda axes: plots.draw_lines(axes, lines, label, best or None), legend=legend)


def results(run: Run, *, nested: bool) -> ReportSection:
    """Every single number of every split, with its interval; `nested`: also those of each label or type."""
    blocks: list[Block] = []
    for split in SPLITS:
        values = run.results.get(split, {})
        for table in tables(values):
            if not table.title:
                blocks.append(replace(table, title=f"On {split}: {values['n']:,} examples"))
            elif nested:
                blocks.append(replace(table, title=f"{table.title.replace('_', ' ')} on {split}").first(MOST_ROWS))
    return ReportSection("Results", blocks)


def layers(run: Run) -> ReportSection:
    """The learned weight of each layer in the mix that the head reads."""
    weights = run.results.get("layer_weights", [])
    title = "Weight of each layer"
    return ReportSection(
        "Layers", [plots.picture(title, lambda axes: plots.layer_weights(axes, weights))] if weights else []
    )


def data(run: Run, splits: Sequence[MeasuredSplit]) -> ReportSection:
    """The size of each split, what was dropped or cut, and the lengths of the texts."""
    facts = run.results.get("data", {})
    names = ["examples", "features", "dropped", "tokens_cut"]
    rows = [[split, *(values.get(name) for name in names), *_files(values)] for split, values in facts.items()]
    columns = ["split", "examples", "features", "rows dropped", "tokens cut", "files", "SHA-256"]
    blocks: list[Block] = [Table("", columns, rows)] if rows else []
    blocks += [Paragraph(issue) for issue in run.results.get("findings", [])]
    for measured in splits[:1]:
        blocks += _lengths(measured)
    return ReportSection("Data", blocks)


def _lengths(measured: MeasuredSplit) -> Iterator[Block]:
    limit = max_input_length(measured.task.max_length, measured.run.tokenizer)
    if cut := int((measured.cut > 0).sum()):
        yield Paragraph(f"{measured.name}: {cut:,} of {len(measured.cut):,} texts are cut to {limit} tokens")
    yield from map(Paragraph, measured.task.issues(measured.examples, measured.encoded.features).notes)
    marks = [(limit, "max_length")] if measured.lengths.max() > limit else []
    yield plots.histogram(f"Length of the texts of {measured.name}", measured.lengths, "tokens", marks)


def _files(values: Mapping[str, Any]) -> tuple[str, str]:
    files = values.get("files", {})
    names = ", ".join(name.rpartition("/")[2] for name in files)
    return names, ", ".join(str(digest)[:12] for digest in files.values())


def resources(run: Run) -> ReportSection:
    """Time, speed, memory, energy and machine."""
    pairs = [*training_facts(run.results), *machine_facts(run.results)]
    return ReportSection("Resources", [Facts(pairs)] if pairs else [])
