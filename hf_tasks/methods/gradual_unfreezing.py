"""Gradual unfreezing: first the head alone, then one more block from the top at a time, the embeddings last (Howard and
Ruder 2018, https://aclanthology.org/P18-1031).

The two stacks of an encoder-decoder are unfrozen in parallel; layers that share their parameters are one block. What is
unfrozen follows from the trainer's step and epoch alone, so that a resumed training continues where it stopped.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from transformers import TrainerCallback

from hf_tasks.methods.base import Method
from hf_tasks.models.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn


class GradualUnfreezing(Method):
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

        return [UnfreezingSchedule(self)]

    def stage(self, epoch: float, step: int) -> int:
        """How many blocks are free at a point of the training."""
        return step // self.steps_per_block if self.steps_per_block else int(epoch / self.epochs_per_block + 1e-6)


def stages(layers: Layers) -> list[tuple[str, ...]]:
    """The parameters that each stage frees: head, top blocks, ..., lowest blocks, bottom."""
    downward = [[layers.names(stack, i) for i in reversed(range(len(stack.blocks)))] for stack in layers.stacks]
    freed = [tuple(name for names in level for name in names) for level in zip_longest(*downward, fillvalue=())]
    return [layers.head, *freed, layers.bottom]


class UnfreezingSchedule(TrainerCallback):  # type: ignore[misc]
    def __init__(self, method: "GradualUnfreezing") -> None:
        self.method = method

    def on_train_begin(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        self.stages, self.free = stages(pretrained_layers(model)), -1

    def on_step_begin(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        stage = self.method.stage(state.epoch or 0, state.global_step)
        if stage == self.free:
            return
        self.free = stage
        free = {name for names in self.stages[: stage + 1] for name in names}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in free)

    def on_train_end(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        model.requires_grad_(True)
