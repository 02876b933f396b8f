"""The table of a suite: on the terminal, as Markdown, as CSV with one line for each score, and as an HTML page."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from hf_tasks.publish.report.blocks import Block, Paragraph, ReportSection, Span
from hf_tasks.publish.report.page import page
from hf_tasks.publish.results_view import Table
from hf_tasks.training import comparison
from hf_tasks.training.suite.scores import Score, ScoreLine, average
from hf_tasks.training.suite.section import Suite

MISSING = "–"
NEAR = " ≈"


def terminal(suite: Suite, lines: Sequence[ScoreLine]) -> str:
    """The table as text; the best of a line has a star."""
    rows = _rows(suite, lines, lambda text, score: f"{text} *" if score.is_best else text)
    return comparison.as_text(rows) + "".join(f"{note}\n" for note in _notes(suite, lines, "*"))


def markdown(suite: Suite, lines: Sequence[ScoreLine]) -> str:
    """The table as Markdown; the best of a line is bold."""
    rows = _rows(suite, lines, lambda text, score: f"**{text}**" if score.is_best else text)
    return comparison.as_markdown(rows) + "".join(f"\n{note}\n" for note in _notes(suite, lines, "bold"))


def html(suite: Suite, lines: Sequence[ScoreLine]) -> str:
    """The table as a self-contained page."""
    header, *rows = _rows(suite, lines, lambda text, score: (Span(text, "best"),) if score.is_best else text)
    blocks: list[Block] = [Table("", header, rows), *(Paragraph(note) for note in _notes(suite, lines, "bold"))]
    seeds = [("seeds", ", ".join(map(str, suite.seeds)))] if suite.seeds else []
    tiles = [("rows", len(suite.rows)), ("columns", len(suite.columns)), *seeds]
    top = {"task": "suite", "name": suite.name, "score": None, "tiles": tiles, "verdict": []}
    return page(suite.name, top, [ReportSection("Scores", blocks)])


def as_csv(suite: Suite, lines: Sequence[ScoreLine]) -> str:
    """A line for each score: row, metric, split, column, value, interval, deviation, number of seeds, marks."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["row", "metric", "split", "column", "value", "low", "high", "std", "runs", "best", "within_chance"])
    for line in lines:
        for column, score in line.scores.items():
            table.writerow([line.row, line.metric, line.split, column, *_numbers(score)])
    for column in suite.columns:
        mean = average(suite, lines, column)
        table.writerow(["average", "", "", column, "" if mean is None else mean, *[""] * 6])
    return text.getvalue()


def _numbers(score: Score | None) -> list[Any]:
    if score is None:
        return [""] * 7
    low, high = score.interval or ("", "")
    std = "" if score.std is None else score.std
    return [score.value, low, high, std, len(score.values), int(score.is_best), int(score.is_near)]


def _rows(suite: Suite, lines: Sequence[ScoreLine], shown: Any) -> list[list[Any]]:
    """A header, a row for each line, and the average. `shown`: (text, score) -> the cell."""
    rows: list[list[Any]] = [["task", "metric", "split", *suite.columns]]
    for line in lines:
        cells = [MISSING if score is None else shown(_text(score), score) for score in line.scores.values()]
        rows.append([line.row, line.metric, line.split, *cells])
    means = [average(suite, lines, column) for column in suite.columns]
    return [*rows, ["average", "", "", *(MISSING if mean is None else f"{mean:.4f}" for mean in means)]]


def _text(score: Score) -> str:
    spread = "" if score.std is None else f" ± {score.std:.4f}"
    interval = "" if score.interval is None else " [{:.4f}, {:.4f}]".format(*score.interval)
    return f"{score.value:.4f}{spread}{interval}{NEAR if score.is_near else ''}"


def _notes(suite: Suite, lines: Sequence[ScoreLine], best: str) -> Iterator[str]:
    """What the numbers are."""
    spread = f", ± standard deviation over {len(suite.seeds)} seeds" if suite.seeds else ""
    yield f"In brackets 95 % intervals{spread}."
    if len(suite.columns) > 1:
        yield f"{best}: the best of a line; ≈: within chance of the best (p at least 0.05, each test by itself)."
    groups = {row.group or f"row {name}" for name, row in suite.rows.items()}
    yield (
        f"average: as on GLUE's leaderboard, the mean over {len(groups)} tasks; several metrics of a task are averaged "
        "first. There is none if a score is missing."
    )
    if any(line.split == "validation" for line in lines):
        yield "Scores on validation are those of the best epoch on the same examples, so they are optimistic."
