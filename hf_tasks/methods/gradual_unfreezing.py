"""Gradual unfreezing: first the head alone, then one more block from the top at a time, the embeddings last (Howard and
Ruder 2018, https://aclanthology.org/P18-1031).

The two stacks of an encoder-decoder are unfrozen in parallel; layers that share their parameters are one block. What is
unfrozen follows from the trainer's step and epoch alone, so that a resumed training continues where it stopped.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hf_tasks.methods.base import Method

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback


class GradualUnfreezing(Method):
    """Trains the head first, then one more block from the top at a time (Howard and Ruder 2018,
    https://aclanthology.org/P18-1031)."""

    name: Literal["gradual-unfreezing"]
    epochs_per_block: float = Field(1.0, gt=0)
    """Epochs until one more block is freed, as in the paper; a fraction frees several in an epoch."""
    steps_per_block: int | None = Field(None, ge=1)
    """Optimizer steps until one more block is freed, instead of epochs."""

    def clashes(self, training: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.steps_per_block and "epochs_per_block" in self.model_fields_set:
            yield ("steps_per_block",), "steps or epochs a block, not both; remove one of them"
        checkpointing = training.get("activation_checkpointing") or training.get("gradient_checkpointing")
        if checkpointing and not training.get("ddp_find_unused_parameters"):
            yield (
                ("name",),
                (
                    "activation checkpointing hides frozen blocks from distributed training; "
                    "add training.ddp_find_unused_parameters: true"
                ),
            )

    def prepare(self, model: "nn.Module") -> "nn.Module":
        return model.requires_grad_(True)  # the optimizer is made for all; the schedule freezes as training begins

    def callbacks(self) -> list["TrainerCallback"]:
        from hf_tasks.methods.unfreezing_schedule import UnfreezingSchedule

        return [UnfreezingSchedule(self.stage)]

    def stage(self, epoch: float, step: int) -> int:
        """How many blocks are free at a point of the training."""
        return step // self.steps_per_block if self.steps_per_block else int(epoch / self.epochs_per_block + 1e-6)
