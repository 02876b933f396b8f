"""The `data` section of a recipe: where the rows are and what their columns are called."""

from typing import Literal

from pydantic import Field, model_validator

from hf_tasks.block import Block


class Data(Block):
    """Files (paths or globs), or a data set of the Hub (`path`), for each part."""

    path: str | None = None
    """A Hub dataset id (`stanfordnlp/sst2`); train, validation and test then name its splits."""
    name: str | None = None
    """The Hub dataset's configuration."""
    revision: str | None = None
    """The Hub dataset's revision: a commit, tag or branch."""
    data_dir: str | None = None
    """The folder that relative paths of the parts start from."""
    train: str | tuple[str, ...] | None = None
    """What is learned from: files or globs, or the Hub data set's split."""
    validation: str | tuple[str, ...] | None = None
    """What the best checkpoint is chosen on; a share of train where not given."""
    test: str | tuple[str, ...] | None = None
    """What is measured at the end."""
    format: str | None = None
    """The file format, where the file's ending does not tell."""
    columns: dict[str, str | tuple[str, ...]] = {}
    """Canonical column name: its name in the user's data (several names: one column a label)."""
    validation_size: float = Field(0.1, ge=0, lt=1)
    """Share of the training rows that is held out where no validation part is given: seeded and stratified."""
    max_examples: int | None = Field(None, ge=1)
    """At most this many examples of each part, drawn by the seed; for quick tries."""
    bad_rows: Literal["stop", "drop"] = "stop"
    """What to do with rows that cannot be used: stop with the list of them, or leave them out and count them."""

    @model_validator(mode="after")
    def _one_source(self) -> "Data":
        if self.path and self.data_dir:
            raise ValueError("path (a Hub data set) and data_dir (a folder) exclude each other; keep one of them")
        if not self.path and (self.name or self.revision):
            raise ValueError("name and revision belong to a Hub data set; give its id as path")
        return self

    @property
    def no_validation(self) -> bool:
        return self.validation is None and self.validation_size == 0
