"""The `data` section of a recipe: where the rows are and what their columns are called."""

from typing import Literal

from pydantic import Field, model_validator

from hf_tasks.core.section import Section


class Parallel(Section):
    """Text files whose lines belong to each other, for tasks with a source and a target."""

    source: str = Field(min_length=1)
    """A file or glob: what the model reads."""
    target: str | tuple[str, ...] | None = None
    """A file or glob: what it shall write; several: one for each reference."""

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else self.target or ()


Named = str | tuple[str, ...] | Parallel
"""Files or globs of one part of the data, or a Hub data set's split."""


class Data(Section):
    """Files (paths or globs), or a data set of the Hub (`path`), for each part."""

    path: str | None = None
    """A Hub dataset id (`stanfordnlp/sst2`); train, validation and test then name its splits."""
    name: str | None = None
    """The Hub dataset's configuration."""
    revision: str | None = None
    """The Hub dataset's revision: a commit, tag or branch."""
    data_dir: str | None = None
    """The folder that relative paths of the parts start from."""
    train: Named | None = None
    """What is learned from: files or globs, or the Hub data set's split; or {source: FILE, target: FILE}."""
    validation: Named | None = None
    """What the best checkpoint is chosen on; a share of train where not given."""
    test: Named | None = None
    """What is measured at the end."""
    format: str | None = None
    """The file format, where the file's ending does not tell."""
    column_names: tuple[str, ...] = ()
    """The names of the columns, in order, of a table (csv, tsv) that has no header line."""
    columns: dict[str, str | tuple[str, ...]] = {}
    """Canonical column name: its name in the user's data; `content.text` for a nested value. Several names: one column
    for each label, or for each reference."""
    validation_size: float = Field(0.1, ge=0, lt=1)
    """Share of the training rows that is held out where no validation part is given: seeded, stratified by all labels,
    repeated inputs together."""
    max_examples: int | None = Field(None, ge=1)
    """At most this many examples of each part, drawn by the seed; for quick tries."""
    seed: int | None = Field(None, ge=0)
    """Draws the held-out validation part and max_examples; training.seed where not given."""
    bad_rows: Literal["stop", "drop"] = "stop"
    """What to do with rows that cannot be used: stop with the list of them, or leave them out and count them."""

    @model_validator(mode="after")
    def _one_source(self) -> "Data":
        if self.path and self.data_dir:
            raise ValueError("path (a Hub data set) and data_dir (a folder) exclude each other; keep one of them")
        if self.path and any(isinstance(split, Parallel) for split in (self.train, self.validation, self.test)):
            raise ValueError("path (a Hub data set) has splits, not files; name a split, e.g. train: train")
        if twice := [name for name in self.column_names if self.column_names.count(name) > 1]:
            raise ValueError(f'column_names has "{twice[0]}" twice; give each column its own name')
        if not self.path and (self.name or self.revision):
            raise ValueError("name and revision belong to a Hub data set; give its id as path")
        return self

    def split(self, name: Literal["train", "validation", "test"]) -> Named | None:
        """What the section names for a part; the split "train" of a Hub data set by default."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}[name]
        return named or (name if self.path and name == "train" else None)

    @property
    def no_validation(self) -> bool:
        return self.validation is None and self.validation_size == 0
