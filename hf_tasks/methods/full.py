"""Full fine-tuning: every parameter trains (Devlin et al. 2019, https://aclanthology.org/N19-1423)."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hf_tasks.methods.base import Method
from hf_tasks.models.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn


class Full(Method):
    """Trains all parameters (Devlin et al. 2019, https://aclanthology.org/N19-1423)."""

    name: Literal["full"]
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Each block learns at this fraction of the rate of the block above it, the head at the full rate (Howard and Ruder
    2018, https://aclanthology.org/P18-1031; 0.8 to 0.9 in Clark et al. 2020, https://arxiv.org/abs/2003.10555)."""

    def prepare(self, model: "nn.Module") -> "nn.Module":
        return model.requires_grad_(True)

    def groups(self, model: "nn.Module", learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        if self.layer_decay == 1:
            return None
        parameters = dict(model.named_parameters())
        below = _levels(pretrained_layers(model))
        groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, parameter in parameters.items():
            groups.setdefault((below.get(name, 0), parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": members,
                "lr": learning_rate * self.layer_decay**level,
                "weight_decay": weight_decay if is_matrix else 0.0,  # not for biases and norms
            }
            for (level, is_matrix), members in sorted(groups.items(), key=lambda item: item[0])
        ]


def _levels(layers: Layers) -> dict[str, int]:
    """How many steps each parameter is below the head: 0 there, 1 in the top block of a stack, most at the bottom."""
    levels = dict.fromkeys(layers.head, 0)
    for stack in layers.stacks:
        for i in range(len(stack.blocks)):
            levels |= dict.fromkeys(layers.names(stack, i), len(stack.blocks) - i)
    return levels | dict.fromkeys(layers.bottom, max(levels.values()) + 1)
