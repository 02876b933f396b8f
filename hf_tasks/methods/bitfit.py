"""BitFit: the biases and the head train (Ben Zaken et al. 2022, https://aclanthology.org/2022.acl-short.1)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from hf_tasks.core.errors import RecipeError
from hf_tasks.methods.base import Method, Saved
from hf_tasks.models.layers import pretrained_layers

if TYPE_CHECKING:
    from torch import nn


class BitFit(Method):
    """Trains the biases and the new head (Ben Zaken et al. 2022, https://aclanthology.org/2022.acl-short.1)."""

    learning_rate: ClassVar[float] = 1e-3
    """The paper's range is 1e-4 to 1e-3."""
    saves: ClassVar[Saved] = "trained"

    name: Literal["bitfit"]

    def prepare(self, model: "nn.Module") -> "nn.Module":
        layers = pretrained_layers(model)
        biases = {name for name, _ in model.named_parameters() if name.endswith("bias")} - set(layers.new)
        if not biases:
            raise RecipeError(
                f"method.name: {type(model).__name__} has no biases that bitfit could train; choose another"
            )
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in biases or name in layers.new)
        return model
