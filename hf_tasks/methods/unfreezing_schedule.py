"""The schedule of gradual unfreezing: which parameters are free at which step of a training."""

from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from hf_tasks.models.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn


def stages(layers: Layers) -> list[tuple[str, ...]]:
    """The parameters that each stage frees: head, top blocks, ..., lowest blocks, bottom."""
    downward = [[layers.names(stack, i) for i in reversed(range(len(stack.blocks)))] for stack in layers.stacks]
    freed = [tuple(name for names in level for name in names) for level in zip_longest(*downward, fillvalue=())]
    return [layers.head, *freed, layers.bottom]


class UnfreezingSchedule(TrainerCallback):  # type: ignore[misc]
    """`stage`: how many blocks are free at an epoch and step."""

    def __init__(self, stage: Callable[[float, int], int]) -> None:
        self.stage = stage

    def on_train_begin(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        self.stages, self.free = stages(pretrained_layers(model)), -1

    def on_step_begin(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        stage = self.stage(state.epoch or 0, state.global_step)
        if stage == self.free:
            return
        self.free = stage
        free = {name for names in self.stages[: stage + 1] for name in names}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in free)

    def on_train_end(self, args: Any, state: Any, control: Any, model: "nn.Module", **options: Any) -> None:
        model.requires_grad_(True)
