"""`init`: write a recipe for data files.

files --find_files--> splits --read_sample--> rows --detect--> Detection --defaults--> recipe, checked on all rows
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.data.readers import SUFFIXES, bare
from hf_tasks.data.readers.recognise import delimiter_of, encoding_of, format_of
from hf_tasks.data.section import FileOptions
from hf_tasks.recipe import validate, yaml_file
from hf_tasks.recipe.init import defaults
from hf_tasks.recipe.init.columns import Columns, language_of, profile
from hf_tasks.recipe.init.detect import detect
from hf_tasks.recipe.init.detection import Names, Reading, Wishes, examples, names_for, task_of
from hf_tasks.recipe.init.files import DataFiles, SplitFiles, SplitName, find_files
from hf_tasks.recipe.init.proposal import Findings, recipe_text, report_lines
from hf_tasks.recipe.init.sample import RowSample, read_sample
from hf_tasks.recipe.resolve import resolve
from hf_tasks.tasks import Task

__all__ = ["Proposal", "Wishes", "propose", "write"]

OTHERS_SHOWN = 5


@dataclass(frozen=True)
class Proposal:
    """A recipe for some data files."""

    name: str
    recipe: str
    """YAML with comments."""
    report: list[str]
    """Lines for the terminal: what was found in the data, and the alternatives."""


def propose(arguments: Sequence[str], model: str | None = None, wishes: Wishes | None = None) -> Proposal:
    """Propose a recipe for files, globs or a folder; `model`: the user's checkpoint. Raises DataError."""
    seen = _inspect(arguments, wishes or Wishes())
    data = defaults.measure(seen.reading.examples)
    chosen = defaults.choose_model(seen.found, seen.task, data, model)
    bad_rows = seen.reading.bad[0] if seen.reading.bad else ""
    written = recipe_text(seen, data, chosen, bad_rows)
    problem = _problem(seen, written)
    if problem and not bad_rows:
        written = recipe_text(seen, data, chosen, problem)
        problem = _problem(seen, written)
    if problem:
        raise DataError(problem)
    return Proposal(seen.files.name, written, report_lines(seen, data))


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


def _inspect(arguments: Sequence[str], wishes: Wishes) -> Findings:
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
    return Findings(used, options, kept, columns, found, others, task, names, reading, (*files.notes, *notes))


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


def _problem(seen: Findings, written: str) -> str:
    """Return the error of a training with the recipe, or ""; reads all data unless they are large."""
    recipe = validate(yaml_file.parse(written, f"{seen.files.name}.yaml"), recipe_dir=Path())
    if seen.is_large:
        return ""
    try:
        resolve(recipe, Path())
    except (DataError, RecipeError) as e:
        return e.problems[0]
    return ""
