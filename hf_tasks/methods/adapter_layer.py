"""The layer of a bottleneck adapter, and where it is put."""

from typing import Any

from torch import Tensor, nn

ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}
SPREAD = 1e-2
"""Standard deviation of the new weights, cut off at two of it: Houlsby et al. 2019, section 3.6."""


class Adapter(nn.Module):
    """x + change(x), (..., H) -> (..., H), change(x) = up(activation(down(x))); near 0 at first: weights of 1e-2."""

    def __init__(self, width: int, bottleneck: int, activation: str) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.activation = ACTIVATIONS[activation]()
        self.up = nn.Linear(bottleneck, width)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
            nn.init.zeros_(linear.bias)

    def change(self, x: Tensor) -> Tensor:
        return self.up(self.activation(self.down(x)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


def put_behind(layer: nn.Module, adapter: Adapter) -> None:
    """Pass the layer's output through the adapter, which becomes its child `adapter`; no other name changes."""
    layer.add_module("adapter", adapter)
    layer.register_forward_hook(_through_adapter, prepend=True)  # before those that read the output


def put_around_norm(norm: nn.Module, adapter: Adapter) -> None:
    """Make the norm compute norm(x + change(norm(x))); the adapter becomes its child `adapter`."""
    norm.add_module("adapter", adapter)
    norm.register_forward_pre_hook(_changed)


def _through_adapter(layer: Any, _: Any, output: Any) -> Any:
    return (layer.adapter(output[0]), *output[1:]) if isinstance(output, tuple) else layer.adapter(output)


def _changed(norm: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    x = inputs[0]
    return x + norm.adapter.change(norm.forward(x)), *inputs[1:]
