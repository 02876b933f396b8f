"""Method: which parameters train, and when. It sees a model, never a task."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from hf_tasks.block import Block

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback


class Method(Block, ABC):
    @abstractmethod
    def prepare(self, model: "nn.Module") -> "nn.Module":
        """The model with this method's structure, its trainable parameters marked by `requires_grad`.

        Called before training, and again when a run is loaded.
        """

    def callbacks(self) -> list["TrainerCallback"]:
        """What changes during training (schedules)."""
        return []
