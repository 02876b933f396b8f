"""`init`: data files to a recipe that is ready to train.

files --parts--> train, validation, test --sample--> rows --recognise--> Finding --values--> recipe, read as it will be
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_tasks import recipe_file
from hf_tasks.errors import DataError, RecipeError
from hf_tasks.preflight import prepare
from hf_tasks.proposal import text, values
from hf_tasks.proposal.look import Seen, look
from hf_tasks.proposal.parts import Files, Parts
from hf_tasks.proposal.values import Line, Measured
from hf_tasks.recipe import validate
from hf_tasks.tasks import GenerativeTask

READ_WHOLE = 100_000
"""Rows up to which all of the data are read and checked, as `check` does, before the recipe is proposed."""
FEW_TO_HOLD_OUT = 200


@dataclass(frozen=True)
class Proposal:
    name: str
    recipe: str
    """YAML with comments."""
    seen: list[str]
    """What was found in the data, in lines for people."""


def propose(arguments: Sequence[str], model: str | None = None) -> Proposal:
    """A recipe for files, globs, or a folder; `model` is the checkpoint, where the user chose it. Raises DataError."""
    seen = look(arguments)
    measured = values.measure(seen.reading.examples)
    bad_rows = seen.reading.bad[0] if seen.reading.bad else ""
    written = _text(seen, measured, model, bad_rows)
    problem = _problem(seen, written)
    if problem and not bad_rows:
        written = _text(seen, measured, model, problem)
        problem = _problem(seen, written)
    if problem:
        raise DataError(problem)
    return Proposal(seen.parts.name, written, _lines(seen, measured))


def _problem(seen: Seen, written: str) -> str:
    """Why the recipe would not train, or "". The whole data are read, unless they are many."""
    recipe = validate(recipe_file.parse(written, f"{seen.parts.name}.yaml"), beside=Path())
    if _many(seen):
        return ""
    try:
        prepare(recipe, Path())
    except (DataError, RecipeError) as e:
        return e.problems[0]
    return ""


def _many(seen: Seen) -> bool:
    return sum(sample.total for sample in seen.samples.values()) > READ_WHOLE


def _text(seen: Seen, measured: Measured, model: str | None, bad_rows: str) -> str:
    finding, rows = seen.finding, seen.samples["train"].total
    few = rows < values.FEW and not isinstance(seen.task, GenerativeTask)
    scratch = text.SCRATCH if isinstance(seen.task, GenerativeTask) and rows >= values.MANY else ()
    method = "# method: {name: gradual-unfreezing}"
    why = "worth a try, rows are few: the head first, then one more block at a time"
    lines = [
        f"# Proposed from {_quoted(seen.parts)} by hf-tasks init; change what you know better.",
        f"name: {text.scalar(seen.parts.name)}",
        *text.section("task", values.task_lines(finding, seen.task, measured), finding.alternatives),
        *text.section("data", _data(seen, bad_rows), seen.notes),
        *text.section("model", [values.model_line(finding, seen.task, measured, model)], scratch),
        *([text.commented(method, why)] if few else []),
        *text.section("training", values.training_lines(seen.task, rows)),
    ]
    return "\n".join(lines) + "\n"


def _quoted(parts: Parts) -> str:
    every = [path for files in parts.files.values() for path in (*files.paths, *files.targets)]
    return f"{every[0]}{f' and {len(every) - 1} more' * (len(every) > 1)}"


def _data(seen: Seen, bad_rows: str) -> list[Line]:
    files = seen.parts.files
    every = [path for one in files.values() for path in (*one.paths, *one.targets)]
    folders = {path.parent for path in every}
    folder = folders.pop() if len(folders) == 1 and len(every) > 1 else Path()
    lines: list[Line] = [("data_dir", str(folder), "")] if folder != Path() else []
    for name, one in files.items():
        lines.append((name, _named(one, folder), f"{seen.samples[name].total:,} rows"))
    if "validation" not in files:
        share = 0.2 if seen.samples["train"].total < FEW_TO_HOLD_OUT else 0.1
        lines.append(("validation_size", share, "there is no validation part: this share of train is held out"))
    if seen.format:
        lines.append(("format", seen.format, "the file's ending does not tell"))
    if seen.names:
        lines.append(("columns", seen.names, "the task's name of a column: its name here"))
    if bad_rows:
        lines.append(("bad_rows", "drop", f"rows that cannot be used are left out: {bad_rows.partition('; ')[0]}"))
    return lines


def _named(files: Files, folder: Path) -> str | list[str] | dict[str, str | list[str]]:
    paths, targets = (
        [path.name if path.parent == folder else str(path) for path in several]
        for several in (files.paths, files.targets)
    )
    if targets:
        return {"source": paths[0], "target": targets[0] if len(targets) == 1 else targets}
    return paths[0] if len(paths) == 1 else paths


def _lines(seen: Seen, measured: Measured) -> list[str]:
    """What was seen, for people."""
    finding = seen.finding
    lines = [
        f"{', '.join(map(str, files.paths))}: {name}, {seen.samples[name].total:,} rows"
        for name, files in seen.parts.files.items()
    ]
    lines.append(f"  task      {finding.task}, {finding.kind}: {finding.reason}")
    if measured.labels and finding.task != "question-answering":
        shown = ", ".join(f"{label} {count}" for label, count in list(measured.labels.items())[:8])
        lines.append(f"  labels    {len(measured.labels)}: {shown}{' ...' if len(measured.labels) > 8 else ''}")
    unit = "characters" if measured.language == "Chinese" else "words"
    lines.append(f"  lengths   {measured.mean_words:.0f} {unit} on average, 99 % have at most {measured.words}")
    read_columns = seen.reading.used
    unused = [f"{name} ({column.kind})" for name, column in seen.columns.items() if name not in read_columns]
    if unused:
        lines.append(f"  not used  {', '.join(unused)}")
    lines += [f"  note      {note}" for note in seen.notes]
    if _many(seen):
        lines.append("  note      the rows are many and were not all checked; hf-tasks check does it")
    lines += [f"  left out  {path}" for path in seen.parts.left_out]
    return lines


def write(proposal: Proposal, output: Path | None, *, overwrite: bool) -> Path:
    """Write the recipe to `output`, or else to NAME.yaml. Raises RecipeError where the file is there already."""
    path = output or Path(f"{proposal.name}.yaml")
    if path.exists() and not overwrite:
        raise RecipeError(f"{path}: exists already; name another file with -o, or give --overwrite")
    try:
        path.write_text(proposal.recipe, encoding="utf-8")
    except OSError as e:
        raise RecipeError(f"{path}: cannot be written: {e.strerror}") from None
    return path
