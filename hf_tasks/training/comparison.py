"""Several runs, or groups of seeds or folds, side by side: a table as text, Markdown, CSV or LaTeX."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import RunError
from hf_tasks.runs import same_data
from hf_tasks.runs.evaluation import numbers
from hf_tasks.runs.run import Run
from hf_tasks.training.groups import group_at


@dataclass(frozen=True)
class RecordedScores:
    name: str
    task: str
    values: Mapping[str, tuple[float, float | None]]
    """Of each number: its value, or the mean of seeds or folds; and the standard deviation over them, or None."""
    data: Mapping[str, Any]
    n: int
    """Number of runs."""
    kind: str = ""
    """seed or fold, where there are several runs."""


def measured(path: str, split: str) -> RecordedScores:
    """What a run, or the runs of several seeds or folds, recorded of a split. Raises RunError."""
    if group := group_at(path):
        run, results, n = next(iter(group.runs.values())), group.results, len(group.numbers)
        values = {name: (row["mean"], row["std"]) for name, row in results.get(split, {}).items()}
    else:
        run, n = Run.load(path), 1
        results = run.results
        values = {name: (float(value), None) for name, value in numbers(results.get(split, {})).items() if name != "n"}
    if not values:
        raise RunError(f"{path}: has no scores on {split}; choose another split with --split")
    return RecordedScores(path, run.recipe.task.name, values, results.get("data", {}), n, group.kind if group else "")


def rows(paths: Sequence[str], split: str) -> list[list[str]]:
    """A header, then a row for each run: its name, then every number that all of them have. Raises RunError where tasks
    or data differ."""
    found = [measured(path, split) for path in paths]
    for one in found:
        if one.task != found[0].task:
            raise RunError(f"{one.name}: its task is {one.task}, not {found[0].task}; compare runs of one task")
    same_data.check([(one.name, one.data) for one in found], (split,))
    names = [name for name in found[0].values if all(name in one.values for one in found)]
    kinds = {one.kind for one in found if one.kind}
    table = [["run", f"{kinds.pop()}s" if len(kinds) == 1 else "runs", *names]]
    table += [[one.name, str(one.n), *(_cell(*one.values[name]) for name in names)] for one in found]
    return table if any(one.kind for one in found) else [[row[0], *row[2:]] for row in table]


def _cell(value: float, std: float | None) -> str:
    return f"{value:.4f}" if std is None else f"{value:.4f} ± {std:.4f}"


def as_text(table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in table)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def as_markdown(table: Sequence[Sequence[str]]) -> str:
    header, *rest = [[cell.replace("|", "\\|") for cell in row] for row in table]
    rule = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rest))


def as_csv(table: Sequence[Sequence[str]]) -> str:
    """With the standard deviation in a column of its own."""
    header, *rest = table
    columns = list(zip(*rest, strict=True))
    spread = {name for name, column in zip(header, columns, strict=True) if any(" ± " in cell for cell in column)}
    written = [[piece for name in header for piece in ((name, f"{name}_std") if name in spread else (name,))]]
    for row in rest:
        pieces = (cell.partition(" ± ") for cell in row)
        written.append(
            [piece for name, (value, _, std) in zip(header, pieces, strict=True)
             for piece in ((value, std) if name in spread else (value,))]
        )  # fmt: skip
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(written)
    return text.getvalue()


def as_latex(table: Sequence[Sequence[str]]) -> str:
    """For the package booktabs."""
    header, *rest = [[_escaped(cell) for cell in row] for row in table]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule", " & ".join(header) + r" \\", r"\midrule",
        *(" & ".join(row) + r" \\" for row in rest), r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _escaped(cell: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    return "".join(special.get(char, rf"\{char}" if char in "_&%$#{}" else char) for char in cell)


FORMATS: dict[str, Callable[[Sequence[Sequence[str]]], str]] = {
    ".md": as_markdown, ".csv": as_csv, ".tex": as_latex, ".txt": as_text,
}  # fmt: skip


def write(table: Sequence[Sequence[str]], path: Path) -> None:
    """Write a table in the format of the file's ending. Raises RunError for another ending."""
    if path.suffix not in FORMATS:
        raise RunError(f"{path}: a table of runs is written as {', '.join(FORMATS)}; give the file such an ending")
    path.write_text(FORMATS[path.suffix](table), encoding="utf-8")
