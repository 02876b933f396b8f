"""Weighted layers: the head reads a learned mix of all layers of the encoder instead of the last one (ELMo's scalar
mix: Peters et al. 2018, https://aclanthology.org/N18-1202).

The mix takes the last block's place in the flow: a last norm of the stack comes after it. With an encoder-decoder it is
the encoder's output, which the decoder attends to.

    states of one forward pass: input of the first block, output of every call of a block -> ScalarMix -> (B, L, H)
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hf_tasks.core.errors import RunError

if TYPE_CHECKING:
    from hf_tasks.models.layers import Stack

CHILD = "scalar_mix"
BAR = 30
"""Characters of the longest bar."""


class ScalarMix(nn.Module):
    """gamma * sum of softmax(weights)_i * state_i; at first the plain mean.

    It may be called by itself on states that were computed before, e.g. on stored ones.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(states))
        """Before the softmax; the first is of the embeddings, the last of the top."""
        self.gamma = nn.Parameter(torch.ones(1))

    def forward(self, states: Iterable[Tensor]) -> Tensor:
        """(depth + 1) states of (B, L, H), or one tensor of them all, bottom first -> (B, L, H)."""
        states = list(states)
        shares = self.gamma * self.weights.softmax(0)
        mixed: Tensor = reduce(torch.add, (share * state for share, state in zip(shares, states, strict=True)))
        return mixed.type_as(states[-1])


def mix_layers(model: nn.Module, stack: "Stack") -> None:
    """Let what reads the stack's last block read a ScalarMix, the new child `scalar_mix` of the stack's owner.

    The blocks themselves go on returning their own states: hooks around them collect what their `forward` returns, so
    that a `forward` which returns stored states is mixed too.
    """
    owner = model.get_submodule(stack.name.rpartition(".")[0])
    owner.add_module(CHILD, ScalarMix(stack.depth + 1))
    collected = _Collected(owner, stack.depth + 1)
    owner.register_forward_pre_hook(collected.begin)
    owner.register_forward_hook(collected.end)
    stack.blocks[0].register_forward_pre_hook(collected.first, with_kwargs=True)
    for block in stack.blocks:
        block.register_forward_hook(collected.next)


class _Collected:
    """The states of a forward pass so far. Its methods are hooks, so that a deep copy of the model has its own."""

    def __init__(self, owner: nn.Module, number: int) -> None:
        self.owner, self.number = owner, number
        self.states: list[Tensor] = []

    def begin(self, *_: Any) -> None:
        self.states = []

    def first(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.states:  # where layers are shared, the first block runs again and again
            self.states.append((*args, *kwargs.values())[0])

    def next(self, _: nn.Module, __: Any, output: Any) -> Any:
        """What the block returns: unchanged but for the last call of the pass, whose state becomes the mix."""
        state = output if torch.is_tensor(output) else output[0]
        self.states.append(state)
        if len(self.states) < self.number:
            return output
        mixed = self.owner.get_submodule(CHILD)(self.states)
        self.states = []
        return mixed if torch.is_tensor(output) else (mixed, *output[1:])

    def end(self, *_: Any) -> None:
        if self.states:
            raise RunError(
                f"model.weighted_layers: only {len(self.states) - 1} of {self.number - 1} layers ran; layers must not "
                f"be dropped at random, set the checkpoint's layerdrop to 0"
            )


def learned(model: nn.Module) -> dict[str, Any]:
    """What results.json records of the mix: `layer_weights`, shares that add up to 1, bottom first, and `layer_gamma`;
    nothing where the model has none."""
    mixes = [m for m in model.modules() if isinstance(m, ScalarMix) and m.weights.requires_grad]
    if not mixes:
        return {}
    weights, gamma = mixes[-1].weights.detach().softmax(0), mixes[-1].gamma.item()
    return {"layer_weights": [round(weight, 6) for weight in weights.tolist()], "layer_gamma": round(gamma, 6)}


def bars(mix: dict[str, Any]) -> Iterator[str]:
    """What `learned` found, for the terminal: a bar for each layer, the top one first."""
    if not mix:
        return
    yield f"  layers     learned weights, gamma {mix['layer_gamma']:.3f}"
    longest = max(mix["layer_weights"])
    for i, weight in reversed(list(enumerate(mix["layer_weights"]))):
        name = f"layer {i}" if i else "embeddings"
        yield f"  {name:<10} {weight:.3f} {'█' * round(BAR * weight / longest)}"
