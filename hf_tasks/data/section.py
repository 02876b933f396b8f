"""The `data` section of a recipe: the files or Hub dataset of each split and the names of their columns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from hf_tasks.core.section import Section


class Parallel(Section):
    """Parallel text files, line by line, for tasks with a source and a target."""

    source: str = Field(min_length=1)
    """File or glob of the source texts, which the model reads."""
    target: str | tuple[str, ...] | None = None
    """Target file(s) or glob; several files = several references."""

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else self.target or ()


class Mixing(Section):
    """How often the examples of each dataset of a mixture are drawn (Raffel et al. 2020, section 3.5.2,
    https://jmlr.org/papers/v21/20-074.html)."""

    strategy: Literal["proportional", "equal"] = "proportional"
    """By the number of examples, or the same for each dataset."""
    limit: int | None = Field(None, ge=1)
    """A dataset counts with at most this many examples."""
    temperature: float = Field(1.0, gt=0)
    """The rates are raised to 1 / temperature: 1 is proportional, a high temperature nearly equal."""
    rows_per_epoch: int | None = Field(None, ge=1)
    """Examples of an epoch; by default those of all datasets, of each at most `limit`."""


Named = str | tuple[str, ...] | Parallel
"""Files or globs of one split, or the name of a Hub dataset's split."""


class MixtureDataset(Section):
    """One dataset of a mixture."""

    train: Named
    """As `data.train`."""
    validation: Named | None = None
    """As `data.validation`; held out from its own train by default."""
    test: Named | None = None
    """As `data.test`."""
    data_dir: str | None = None
    """As `data.data_dir`, which is the default."""
    columns: dict[str, str | tuple[str, ...]] = {}
    """As `data.columns`, which they add to."""
    prefix: str = ""
    """Text that is put before every source of this dataset, such as "summarize: "."""


@dataclass(frozen=True)
class FileOptions:
    """Options for reading a file: format, column names, delimiter and encoding, as in `Data`."""

    format: str | None = None
    column_names: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None


NOT_MIXED = ("path", "train", "validation", "test", "folds")
"""Keys that do not go with a mixture."""


def _names(named: Named) -> tuple[str, ...]:
    if isinstance(named, Parallel):
        return (named.source, *named.targets)
    return (named,) if isinstance(named, str) else named


class Data(Section):
    """Files (paths or globs), or a Hub dataset (`path`), for each split."""

    path: str | None = None
    """A Hub dataset id (`stanfordnlp/sst2`); train, validation and test then name its splits."""
    name: str | None = None
    """The Hub dataset's configuration."""
    revision: str | None = None
    """The Hub dataset's revision: a commit, tag or branch."""
    data_dir: str | None = None
    """The folder that relative paths start from."""
    train: Named | None = None
    """Training data: files or globs, or the Hub dataset's split; or {source: FILE, target: FILE}."""
    validation: Named | None = None
    """Data for choosing the best checkpoint; held out from train by default."""
    test: Named | None = None
    """Data for the final evaluation."""
    format: str | None = None
    """The file format; inferred from the file's ending by default."""
    column_names: tuple[str, ...] = ()
    """The names of the columns, in order, of a csv or tsv file without a header line."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """The character between the fields of a csv file, e.g. ";"; a comma by default."""
    encoding: str | None = None
    """Python's name of the encoding of text files, e.g. latin-1 or utf-16; UTF-8 by default."""
    columns: dict[str, str | tuple[str, ...]] = {}
    """The task's name of a column: its name in the data, `content.text` for a nested value; several names if each label
    or each reference has a column."""
    validation_size: float = Field(0.1, ge=0, lt=1)
    """Share of the training examples that are held out for validation if no validation split is given: drawn by the
    seed, stratified by all labels, examples with the same input together."""
    folds: int | None = Field(None, ge=2)
    """Cross-validation: the training examples are divided into this many folds, and one training for each fold is
    tested on it. Folds are stratified and keep groups together, as the validation split. `test` is not read."""
    fold: int | None = Field(None, ge=1)
    """Train only the run that is tested on this fold, from 1 to `folds`."""
    max_examples: int | None = Field(None, ge=1)
    """Maximum number of examples of each split, for quick tests: drawn by the seed, stratified by label. Labels and
    tags are those of the complete training data."""
    seed: int | None = Field(None, ge=0)
    """Seed of the holdout, of folds and of max_examples; training.seed by default."""
    bad_rows: Literal["stop", "drop"] = "stop"
    """For invalid rows, stop and list them, or drop and count them."""

    mixture: dict[str, MixtureDataset] = {}
    """For text to text: several datasets by name in the place of `train`, each with its files, columns and prefix."""
    mixing: Mixing = Mixing()
    """How often the examples of each of them are drawn."""

    @model_validator(mode="after")
    def _one_source(self) -> "Data":
        if self.mixture and (one := next((name for name in NOT_MIXED if getattr(self, name)), None)):
            raise ValueError(f"mixture has the files of every dataset; remove {one}")
        if self.path and self.data_dir:
            raise ValueError("path (a Hub dataset) and data_dir (a folder) cannot be combined; keep one of them")
        if self.path and any(isinstance(split, Parallel) for split in (self.train, self.validation, self.test)):
            raise ValueError("path (a Hub dataset) has splits, not files; name a split, e.g. train: train")
        if twice := [name for name in self.column_names if self.column_names.count(name) > 1]:
            raise ValueError(f'column_names contains "{twice[0]}" twice; give each column its own name')
        if not self.path and (self.name or self.revision):
            raise ValueError("name and revision belong to a Hub dataset; give its id as path")
        return self

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            "".encode(encoding or "utf-8")
        except LookupError:
            raise ValueError(f'there is no encoding "{encoding}"; write e.g. latin-1, cp1252 or utf-16') from None
        return encoding

    @property
    def reading(self) -> "FileOptions":
        """The options for reading the files of the section."""
        return FileOptions(self.format, self.column_names, self.delimiter, self.encoding)

    def is_like(self, path: str) -> bool:
        """Whether a file has the same ending as one of the section's files, so that it is read in the same way."""
        named = [one for one in (self.train, self.validation, self.test) if one is not None]
        names = [name for one in named for name in _names(one)]
        return Path(path).suffix.lower() in {Path(name).suffix.lower() for name in names}

    def split(self, name: Literal["train", "validation", "test"]) -> Named | None:
        """Return the files, or the Hub dataset's split, of a split; "train" of a Hub dataset by default."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}[name]
        return named or (name if self.path and name == "train" else None)

    def datasets(self) -> dict[str, "Data"]:
        """The sections of the datasets of a mixture, by name."""
        return {
            name: self.model_copy(
                update={"mixture": {}, "data_dir": one.data_dir or self.data_dir, "columns": self.columns | one.columns,
                        "train": one.train, "validation": one.validation, "test": one.test}
            )
            for name, one in self.mixture.items()
        }  # fmt: skip

    @property
    def no_validation(self) -> bool:
        return self.validation is None and self.validation_size == 0
