"""The text of a proposed recipe and the report of what was found in the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hf_tasks.data.section import FileOptions
from hf_tasks.recipe.init import defaults
from hf_tasks.recipe.init.columns import Columns
from hf_tasks.recipe.init.defaults import Line, ModelChoice, TextStatistics
from hf_tasks.recipe.init.detection import Detection, Names, Reading
from hf_tasks.recipe.init.files import DataFiles, SplitFiles, SplitName
from hf_tasks.recipe.init.sample import RowSample
from hf_tasks.tasks import Task

READ_WHOLE = 100_000
"""Number of rows up to which all data are read and checked, as `check` does, before the recipe is proposed."""
FEW_TO_HOLD_OUT = 200
COMMENTS_AT = 40
WIDTH = 120
ENCODINGS = {
    "cp1252": "the files are not UTF-8; Western European letters, change it if they look wrong",
    "utf-16": "the files begin as UTF-16 does",
}
SCRATCH = (
    "to train from scratch (better with 10,000 pairs or more), instead of name_or_path:",
    "tokenizer: {vocab_size: 8000}",
    "config: {model_type: marian, d_model: 128, encoder_layers: 4, decoder_layers: 4, encoder_attention_heads: 4,",
    "  decoder_attention_heads: 4, encoder_ffn_dim: 256, decoder_ffn_dim: 256, scale_embedding: true}",
)


@dataclass(frozen=True)
class Findings:
    """Everything that was found in the data."""

    files: DataFiles
    options: FileOptions
    samples: dict[SplitName, RowSample]
    columns: Columns
    found: Detection
    others: tuple[Detection, ...]
    """Less plausible than `found`."""
    task: Task
    names: Names
    reading: Reading
    notes: tuple[str, ...]

    @property
    def is_large(self) -> bool:
        """Whether there are too many rows to read all of them."""
        return sum(sample.total for sample in self.samples.values()) > READ_WHOLE


def recipe_text(seen: Findings, data: TextStatistics, model: ModelChoice, bad_rows: str) -> str:
    """Return the proposed recipe as YAML with comments; `bad_rows`: the first error of a row, or ""."""
    rows, generative = seen.samples["train"].total, seen.task.traits.writes_text
    scratch = SCRATCH if generative and rows >= defaults.MANY else ()
    method = "# method: {name: gradual-unfreezing}"
    why = "worth trying with few examples: the head first, then one more block at a time"
    every = [path for split in seen.files.splits.values() for path in split.all]
    lines = [
        f"# Proposed by hf-tasks init from {every[0]}{f' and {len(every) - 1} more' * (len(every) > 1)}; edit it as "
        "you need.",
        f"name: {_scalar(seen.files.name)}",
        *_section("task", defaults.task_lines(seen.found, seen.task, data, model), seen.found.alternatives),
        *_section("data", _data_lines(seen, bad_rows), seen.notes),
        *_section("model", defaults.model_lines(model), scratch),
        *([_commented(method, why)] if rows < defaults.FEW and not generative else []),
        *_section("training", defaults.training_lines(model, rows)),
    ]
    return "\n".join(lines) + "\n"


def _data_lines(seen: Findings, bad_rows: str) -> list[Line]:
    splits = seen.files.splits
    every = [path for split in splits.values() for path in split.all]
    folders = {path.parent for path in every}
    folder = folders.pop() if len(folders) == 1 and len(every) > 1 else Path()
    lines: list[Line] = [("data_dir", str(folder), "")] if folder != Path() else []
    for name, split in splits.items():
        lines.append((name, _named(split, folder), f"{seen.samples[name].total:,} rows"))
    if "validation" not in splits:
        share = 0.2 if seen.samples["train"].total < FEW_TO_HOLD_OUT else 0.1
        lines.append(("validation_size", share, "no validation file: this share of train is held out"))
    options = seen.options
    if options.format:
        lines.append(("format", options.format, "the file's ending does not imply it"))
    if options.delimiter:
        lines.append(("delimiter", options.delimiter, "between the fields of a row"))
    if options.encoding:
        lines.append(("encoding", options.encoding, ENCODINGS[options.encoding]))
    if options.column_names:
        lines.append(("column_names", list(options.column_names), "the table has no header line"))
    if seen.names:
        lines.append(("columns", seen.names, "the task's name of a column: its name in the files"))
    if bad_rows:
        lines.append(("bad_rows", "drop", f"invalid rows are dropped: {bad_rows.partition('; ')[0]}"))
    return lines


def _named(split: SplitFiles, folder: Path) -> str | list[str] | dict[str, str | list[str]]:
    paths, targets = (
        [path.name if path.parent == folder else str(path) for path in several]
        for several in (split.paths, split.targets)
    )
    if targets:
        return {"source": paths[0], "target": targets[0] if len(targets) == 1 else targets}
    return paths[0] if len(paths) == 1 else paths


def _section(name: str, lines: Iterable[Line], notes: Iterable[str] = ()) -> list[str]:
    """Return the lines of a section of a recipe; `notes` become comments below its keys."""
    written = [_commented(f"  {key}: {_scalar(value)}", why) for key, value, why in lines]
    return [f"{name}:", *written, *(f"  # {note}" for note in notes)]


def _commented(text: str, comment: str) -> str:
    """Return `text` with a comment after it, or above it if the line would be too long."""
    comment = " ".join(comment.split())
    if not comment:
        return text
    line = f"{text:<{COMMENTS_AT - 1}} # {comment}"
    indent = text[: len(text) - len(text.lstrip())]
    return line if len(line) <= WIDTH else f"{indent}# {comment}\n{text}"


def _scalar(value: Any) -> str:
    """Format a value as YAML on one line."""
    match value:
        case float():
            return f"{value:.0e}".replace("e-0", "e-") if value < 1e-2 else str(value)
        case str() if value.endswith(" "):
            return f'"{value}"'
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(value, dict):
        plain = {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}
    text: str = yaml.safe_dump(
        [plain], default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.strip()[1:-1]


def report_lines(seen: Findings, data: TextStatistics) -> list[str]:
    """Return the lines for the terminal."""
    found = seen.found
    lines = [
        f"{', '.join(map(str, split.all))}: {name}, {seen.samples[name].total:,} rows"
        for name, split in seen.files.splits.items()
    ]
    lines.append(f"  task      {found.task}, {found.kind}: {found.reason}")
    lines += [f"  or        {other.kind}: {other.reason}; {other.options()}" for other in seen.others]
    lines += [f"  or        {alternative}" for alternative in found.alternatives]
    if data.labels and found.task != "question-answering":
        shown = ", ".join(f"{label} {count}" for label, count in list(data.labels.items())[:8])
        lines.append(f"  labels    {len(data.labels)}: {shown}{' ...' if len(data.labels) > 8 else ''}")
    lines.append(f"  lengths   {data.mean_words:.0f} {data.unit} on average, 99 % have at most {data.words}")
    roots = {name.partition(".")[0] for name in seen.reading.used}
    unused = [
        f"{name} ({column.kind})"
        for name, column in seen.columns.items()
        if name not in seen.reading.used and name not in roots and not (column.kind == "other" and "." not in name)
    ]
    if unused:
        lines.append(f"  not used  {', '.join(unused)}")
    lines += [f"  note      {note}" for note in seen.notes]
    if seen.is_large:
        lines.append("  note      there are many rows, so not all were checked; hf-tasks check checks them")
    return [*lines, *(f"  left out  {path}" for path in seen.files.unused)]
