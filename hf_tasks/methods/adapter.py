"""The bottleneck adapter itself, and how it is put behind a layer."""

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}
SPREAD = 1e-2
"""Standard deviation of the new weights, cut off at two of it: Houlsby et al. 2019, section 3.6."""


class Adapter(nn.Module):
    """x + up(activation(down(x))), (..., H) -> (..., H); at first near the identity: weights of about 1e-2."""

    def __init__(self, width: int, bottleneck: int, activation: str) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.activation = ACTIVATIONS[activation]()
        self.up = nn.Linear(bottleneck, width)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
            nn.init.zeros_(linear.bias)

    def forward(self, x: "Tensor") -> "Tensor":
        return x + self.up(self.activation(self.down(x)))  # type: ignore[no-any-return]


def put_behind(layer: nn.Module, adapter: Adapter) -> None:
    """Let the layer's output pass through the adapter, which becomes its child `adapter`; no other name changes."""
    layer.add_module("adapter", adapter)
    layer.register_forward_hook(_through_adapter)


def _through_adapter(layer: nn.Module, _: Any, output: "Tensor") -> "Tensor":
    return layer.adapter(output)  # type: ignore[operator, no-any-return]
