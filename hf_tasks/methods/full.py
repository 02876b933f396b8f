"""Full fine-tuning: every parameter trains (Devlin et al. 2019, https://aclanthology.org/N19-1423)."""

from typing import TYPE_CHECKING, Literal

from hf_tasks.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class Full(Method):
    name: Literal["full"]

    def prepare(self, model: "nn.Module") -> "nn.Module":
        return model.requires_grad_(True)
