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
    """What of the blocks' outputs is read above them, in the head and the loss."""

    positions: Literal["first", "tokens", "padded"]
    """The first position alone; those of tokens; those of padding too."""
    every_layer: bool
    """Every block's output, or the last one's alone."""

    def layers(self, stack: Stack) -> int:
        return stack.depth if self.every_layer else 1


@contextlib.contextmanager
def record_outputs(stack: Stack) -> Iterator[list[Any]]:
    """What the blocks give, call by call, as the model runs."""
    outputs: list[Any] = []

    def note(module: "nn.Module", args: Any, output: Any) -> None:
        outputs.append(output)

    handles = [block.register_forward_hook(note, prepend=True) for block in stack.blocks]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def hidden_states(output: Any) -> "Tensor":
    """The states (B, L, H) in what a block gives, which may be a tuple of more."""
    return output[0] if isinstance(output, tuple) else output  # type: ignore[no-any-return]


class Replay:
    """Plays the states of rows that are known, where a model is given `feature_row` (B,) beside its other inputs.

    Without that input the model computes as before. What the blocks would give below the last one, where only that
    one is read, is not a number: a head that read it would show.
    """

    def __init__(self, model: "nn.Module", stack: Stack, reads: Reads, like: Any) -> None:
        """`like`: a recorded output of one block; cached outputs get the same structure."""
        self.stack, self.reads, self.form = stack, reads, len(like) if isinstance(like, tuple) else None
        self.states: Callable[[Tensor, int], Tensor] = _nothing
        """(rows (B,), width) -> their states (B, width, layers, H)."""
        self.answers: Iterator[Any] | None = None
        self.forwards = {block: block.forward for block in stack.blocks}
        for block in stack.blocks:
            block.forward = partial(self._answer, block)
        self.hooks = [
            model.register_forward_pre_hook(self._begin, with_kwargs=True, prepend=True),
            model.register_forward_hook(self._end, always_call=True),
        ]

    def remove(self) -> None:
        """The model is as it was before."""
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
        """What the blocks give, call by call, of states (B, L, layers, H)."""
        unread = states.new_full((), float("nan")).expand_as(states[:, :, 0])  # (B, L, H)
        below = self.stack.depth - self.reads.layers(self.stack)
        for state in (*[unread] * below, *states.unbind(2)):
            yield state if self.form is None else (state, *[None] * (self.form - 1))

    def _answer(self, block: "nn.Module", *args: Any, **kwargs: Any) -> Any:
        return self.forwards[block](*args, **kwargs) if self.answers is None else next(self.answers)


def _cut(value: Any, shape: Any, width: int) -> Any:
    """An input of the model, of its first positions alone if it has a value for each (shape (B, L))."""
    import torch

    return value[:, :width] if isinstance(value, torch.Tensor) and value.shape == shape else value


def _nothing(rows: "Tensor", width: int) -> "Tensor":
    raise AssertionError("the replay was given no states")
