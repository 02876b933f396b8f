"""Forward hooks that record a layer's output or replace it with a cached one."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from hf_tasks.models.layers import Stack
from hf_tasks.tasks.collate import FEATURE_ROW

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Reads:
    """The outputs of the blocks that the head and the loss read."""

    positions: Literal["first", "tokens", "padded"]
    """Only the first position, those of tokens, or also those of padding."""
    every_layer: bool
    """Whether the outputs of all blocks are read or only those of the last one."""

    def layers(self, stack: Stack) -> int:
        return stack.depth if self.every_layer else 1


@contextlib.contextmanager
def record_outputs(stack: Stack) -> Iterator[list[Any]]:
    """Context manager that records the outputs of the blocks, call by call."""
    outputs: list[Any] = []

    def record(module: "nn.Module", args: Any, output: Any) -> None:
        outputs.append(output)

    handles = [block.register_forward_hook(record, prepend=True) for block in stack.blocks]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def hidden_states(output: Any) -> "Tensor":
    """Return the hidden states (B, L, H) in a block's output, which can be a tuple."""
    return output[0] if isinstance(output, tuple) else output  # type: ignore[no-any-return]


class Replay:
    """Replaces hidden states by cached ones for the features in the additional input `feature_row` (B,).

    Without this input the model computes as before. If only the last block is read, the outputs of the others are NaN,
    so that a head that reads them is detected.
    """

    def __init__(self, model: "nn.Module", stack: Stack, reads: Reads, like: Any) -> None:
        """Patch the model; `like`: a recorded output of a block, whose structure the cached outputs get."""
        self.stack, self.reads, self.form = stack, reads, len(like) if isinstance(like, tuple) else None
        self.states: Callable[[Tensor, int], Tensor] = _nothing
        """(features (B,), width) -> states (B, width, layers, H)."""
        self.answers: Iterator[Any] | None = None
        self.forwards = {block: block.forward for block in stack.blocks}
        for block in stack.blocks:
            block.forward = partial(self._answer, block)
        self.hooks = [
            model.register_forward_pre_hook(self._begin, with_kwargs=True, prepend=True),
            model.register_forward_hook(self._end, always_call=True),
        ]

    def remove(self) -> None:
        """Restore the model."""
        for hook in self.hooks:
            hook.remove()
        for block in self.stack.blocks:
            del block.forward

    def _begin(self, model: "nn.Module", args: Any, inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        rows, ids = inputs.get(FEATURE_ROW), inputs.get("input_ids")
        if rows is None or ids is None:
            return None
        width = 1 if self.reads.positions == "first" else ids.shape[1]
        self.answers = self._outputs(self.states(rows, width).to(ids.device))
        shortened = {name: _cut(value, ids.shape, width) for name, value in inputs.items() if name != FEATURE_ROW}
        return args, shortened

    def _end(self, model: "nn.Module", args: Any, output: Any) -> None:
        self.answers = None

    def _outputs(self, states: "Tensor") -> Iterator[Any]:
        """Yield the outputs of the blocks, call by call, for states (B, L, layers, H)."""
        unread = states.new_full((), float("nan")).expand_as(states[:, :, 0])  # (B, L, H)
        below = self.stack.depth - self.reads.layers(self.stack)
        for state in (*[unread] * below, *states.unbind(2)):
            yield state if self.form is None else (state, *[None] * (self.form - 1))

    def _answer(self, block: "nn.Module", *args: Any, **kwargs: Any) -> Any:
        return self.forwards[block](*args, **kwargs) if self.answers is None else next(self.answers)


def _cut(value: Any, shape: Any, width: int) -> Any:
    """Return the first positions of an input of shape (B, L); other inputs are unchanged."""
    import torch

    return value[:, :width] if isinstance(value, torch.Tensor) and value.shape == shape else value


def _nothing(rows: "Tensor", width: int) -> "Tensor":
    raise AssertionError("the replay has no states")
