"""The `model` section of a recipe: which checkpoint."""

from pydantic import Field

from hf_tasks.block import Block


class Model(Block):
    name_or_path: str = Field(min_length=1)
    """A Hub model id, a folder, or `package:NAME`, the checkpoint that an installed Python package carries."""
    revision: str | None = None
    """The checkpoint's revision on the Hub: a commit, tag or branch."""
