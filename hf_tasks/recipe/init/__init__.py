"""`init`: write a recipe for data files.

files --find_files--> splits --read_sample--> rows --detect--> Detection --defaults--> recipe, checked on all rows
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.data.readers import SUFFIXES, bare
from hf_tasks.data.readers.recognise import delimiter_of, encoding_of, format_of
from hf_tasks.data.section import FileOptions
from hf_tasks.recipe import validate, yaml_file
from hf_tasks.recipe.init import defaults
from hf_tasks.recipe.init.columns import Columns, language_of, profile
from hf_tasks.recipe.init.defaults import Line, ModelChoice, TextStatistics
from hf_tasks.recipe.init.detect import detect
from hf_tasks.recipe.init.detection import Detection, Names, Reading, Wishes, examples, names_for, task_of
from hf_tasks.recipe.init.files import DataFiles, RowSample, SplitFiles, SplitName, find_files, read_sample
from hf_tasks.recipe.resolve import resolve
from hf_tasks.tasks import Task

__all__ = ["Proposal", "Wishes", "propose", "write"]

READ_WHOLE = 100_000
"""Number of rows up to which all data are read and checked, as `check` does, before the recipe is proposed."""
FEW_TO_HOLD_OUT = 200
OTHERS_SHOWN = 5
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
class Proposal:
    """A recipe for some data files."""

    name: str
    recipe: str
    """YAML with comments."""
    report: list[str]
    """Lines for the terminal: what was found in the data, and the alternatives."""


@dataclass(frozen=True)
class _Findings:
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


def propose(arguments: Sequence[str], model: str | None = None, wishes: Wishes | None = None) -> Proposal:
    """Propose a recipe for files, globs or a folder; `model`: the user's checkpoint. Raises DataError."""
    seen = _inspect(arguments, wishes or Wishes())
    data = defaults.measure(seen.reading.examples)
    chosen = defaults.choose_model(seen.found, seen.task, data, model)
    bad_rows = seen.reading.bad[0] if seen.reading.bad else ""
    written = _text(seen, data, chosen, bad_rows)
    problem = _problem(seen, written)
    if problem and not bad_rows:
        written = _text(seen, data, chosen, problem)
        problem = _problem(seen, written)
    if problem:
        raise DataError(problem)
    return Proposal(seen.files.name, written, _lines(seen, data))


def write(proposal: Proposal, output: Path | None, *, overwrite: bool) -> Path:
    """Write the recipe to `output`, by default NAME.yaml. Raises RecipeError if the file exists."""
    path = output or Path(f"{proposal.name}.yaml")
    if path.exists() and not overwrite:
        raise RecipeError(f"{path}: exists already; name another file with -o, or give --overwrite")
    try:
        path.write_text(proposal.recipe, encoding="utf-8")
    except OSError as e:
        raise RecipeError(f"{path}: cannot be written: {e.strerror}") from None
    return path


# -- inspection of the data


def _inspect(arguments: Sequence[str], wishes: Wishes) -> _Findings:
    files = find_files(arguments)
    files, format = _with_one_format(files, explicit=not Path(arguments[0]).is_dir())
    train = files.splits["train"]
    where = str(train.paths[0])
    sample, options = _train_sample(train, _options(files, format))
    column_names = options.column_names
    columns = profile(sample.rows, sample.columns)
    _check_splits(columns, where)
    languages = _languages(train)
    try:
        candidates = detect(sample.rows, columns, languages, where, wishes)
    except DataError as e:
        raise DataError(*sample.bad[:1], *e.problems) from None  # a row that cannot be read can be the reason
    found = wishes.apply(candidates[0])
    if column_names:
        names_of = {name: canonical for canonical, name in found.columns.items() if isinstance(name, str)}
        column_names = tuple(names_of.get(name, name) for name in column_names)
        reason = found.reason
        for name, canonical in names_of.items():
            reason = reason.replace(f'"{name}"', f'"{canonical}"')
        found = replace(found, columns={name: name for name in found.columns}, reason=reason)
        options = replace(options, column_names=column_names)
        sample = read_sample(train, options)
        columns = profile(sample.rows, sample.columns)
    task = task_of(found)
    names = names_for(found, task, sample.columns)
    reading = examples(sample, names, task)
    if len(reading.examples) < len(reading.bad):
        raise DataError(f"{where}: most rows are invalid; the first one: {reading.bad[0]}")
    kept, notes = _usable(files, {"train": sample}, names, task, reading, options)
    used = replace(files, splits={name: files.splits[name] for name in kept})
    others = tuple(candidates[1 : 1 + OTHERS_SHOWN]) if not column_names else ()
    return _Findings(used, options, kept, columns, found, others, task, names, reading, (*files.notes, *notes))


def _with_one_format(files: DataFiles, *, explicit: bool) -> tuple[DataFiles, str | None]:
    """Return the files without splits of another format, and the format, or None if the endings imply it."""
    formats = {
        name: {format_of(path) for path in split.paths} for name, split in files.splits.items() if not split.targets
    }
    if not formats:
        return files, None
    paths = [path for name in formats for path in files.splits[name].paths]
    if all(format_of(path) == SUFFIXES.get(bare(path).suffix.lower(), "text") for path in paths):
        return files, None
    differing = [name for name in formats if formats[name] != formats["train"]]
    if len(formats["train"]) > 1 or (differing and explicit):
        listed = ", ".join(f"{path} {format_of(path)}" for path in paths)
        raise DataError(f"{listed}: the files have different formats; give them one by one, or in one format")
    dropped = [f"{files.splits[name].paths[0]}: has another format than train" for name in differing]
    splits = {name: split for name, split in files.splits.items() if name not in differing}
    return replace(files, splits=splits, notes=(*files.notes, *dropped)), next(iter(formats["train"]))


def _options(files: DataFiles, format: str | None) -> FileOptions:
    """Return the options that the files' endings do not imply. Raises DataError if their encodings differ."""
    several = [path for split in files.splits.values() for path in split.all]
    encodings = {path: encoding for path in several if (encoding := encoding_of(path)) != "ascii"}
    encoding = next(iter(encodings.values()), "utf-8")
    if len(set(encodings.values())) > 1:
        listed = ", ".join(f"{path} {name}" for path, name in encodings.items())
        raise DataError(f"{listed}: the files have different encodings; save all of them as UTF-8")
    train = files.splits["train"]
    table = not train.targets and (format or format_of(train.paths[0])) == "csv"
    delimiter = delimiter_of(train.paths[0]) if table else None
    return FileOptions(
        format, delimiter=None if delimiter == "," else delimiter, encoding=None if encoding == "utf-8" else encoding
    )


def _train_sample(train: SplitFiles, options: FileOptions) -> tuple[RowSample, FileOptions]:
    """Return a sample of train, and options with names for the columns if the table has no header line."""
    sample = read_sample(train, options)
    if train.targets or (options.format or format_of(train.paths[0])) not in ("csv", "tsv"):
        return sample, options
    columns = profile(sample.rows, sample.columns)
    like_a_row = [name for name in columns if len(name) > 40 or name.count(" ") > 3 or _is_number(name)]
    like_a_row += [name for name, column in columns.items() if column.few and name in column.counts]
    if not like_a_row:
        return sample, options
    names = tuple(f"column_{i}" for i in range(1, len(sample.columns) + 1))
    options = replace(options, column_names=names)
    return read_sample(train, options), options


def _is_number(name: str) -> bool:
    return name.replace(".", "", 1).isdigit()


def _languages(train: SplitFiles) -> tuple[str | None, ...]:
    """Return the languages of parallel files from the words of their names; () for other files."""
    if not train.targets:
        return ()
    found = []
    for path in train.all:
        words = path.name.replace("_", ".").replace("-", ".").split(".")
        found.append(next((code for word in reversed(words) if (code := language_of(word))), None))
    return tuple(found)


def _usable(
    files: DataFiles, samples: dict[SplitName, RowSample], names: Names, task: Task, train: Reading,
    options: FileOptions,
) -> tuple[dict[SplitName, RowSample], list[str]]:  # fmt: skip
    """Return samples of the splits that the recipe can use, and notes about the others."""
    known = set(defaults.measure(train.examples).labels)
    notes = []
    for name, split in files.splits.items():
        if name == "train":
            continue
        try:
            sample = read_sample(split, options)
            found = examples(sample, names, task)
        except (DataError, ValueError) as e:
            notes.append(f"{split.paths[0]}: is not used: {str(e).partition('; ')[0]}")
            continue
        labels = defaults.measure(found.examples).labels if found.examples else {}
        if not found.examples or (known and not known & set(labels)):
            notes.append(f"{split.paths[0]}: has no labels that train has")
        else:
            samples[name] = sample
    return samples, notes


def _check_splits(columns: Columns, where: str) -> None:
    """Raise DataError if a column says which rows are for testing."""
    for column in columns.values():
        values = {value.lower() for value in column.counts} if column.kind == "label" else set()
        if any(v.startswith("test") for v in values) and any(v.startswith("train") for v in values):
            shown = ", ".join(f"{value} {count:,}" for value, count in column.counts.items())
            raise DataError(
                f'{where}: the column "{column.name}" says which rows are for testing ({shown}); write each split to '
                "its own file: a model must not be trained on test examples"
            )


def _problem(seen: _Findings, written: str) -> str:
    """Return the error of a training with the recipe, or ""; reads all data unless they are large."""
    recipe = validate(yaml_file.parse(written, f"{seen.files.name}.yaml"), recipe_dir=Path())
    if seen.is_large:
        return ""
    try:
        resolve(recipe, Path())
    except (DataError, RecipeError) as e:
        return e.problems[0]
    return ""


# -- the recipe's text


def _text(seen: _Findings, data: TextStatistics, model: ModelChoice, bad_rows: str) -> str:
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


def _data_lines(seen: _Findings, bad_rows: str) -> list[Line]:
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


# -- the terminal


def _lines(seen: _Findings, data: TextStatistics) -> list[str]:
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
