"""The `model` section of a recipe: which checkpoint, and what of it is read."""

from pydantic import Field

from hf_tasks.block import Block


class Model(Block):
    name_or_path: str = Field(min_length=1)
    """A Hub model id, a folder, or `package:NAME`, the checkpoint that an installed Python package carries."""
    revision: str | None = None
    """The checkpoint's revision on the Hub: a commit, tag or branch."""
    weighted_layers: bool = False
    """The head reads a learned mix of the embeddings and all layers, not the last layer alone (Peters et al. 2018,
    https://aclanthology.org/N18-1202); a decoder attends to the mix of its encoder's layers."""
