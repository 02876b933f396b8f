"""Pooling: the head of a text classification model reads the mean or the maximum over all tokens (as sentence encoders
are trained: Reimers and Gurevych 2019, https://aclanthology.org/D19-1410) where it reads the first token by itself.

    last states (B, L, H), attention mask (B, L) -> (B, H), which takes the place of the first position

A pooler of the base model (BERT's dense layer and tanh) is left out: it was trained on the first token, or not at all.
"""

from collections.abc import Callable, Mapping
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from hf_tasks.core.errors import RunError
from hf_tasks.models.layers import calls, few_tokens

if TYPE_CHECKING:
    from hf_tasks.models.layers import Stack

Pooling = Literal["cls", "mean", "max"]


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """(B, L, H), (B, L) -> (B, H)."""
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """(B, L, H), (B, L) -> (B, H)."""
    return states.float().masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).max(1).values


def first(states: Tensor, mask: Tensor) -> Tensor:
    """(B, L, H), (B, L) -> (B, H): the first token that is not padding."""
    place = mask.long().argmax(1)
    return states.float()[torch.arange(len(states), device=states.device), place]


POOLS: dict[Pooling, Callable[[Tensor, Tensor], Tensor]] = {"cls": first, "mean": mean, "max": maximum}


def pool(model: nn.Module, stack: "Stack", pooling: Pooling) -> None:
    """Let the head read the pooled tokens, without the base model's pooler between them. No other names change.

    Raises RunError where the head does not read the first position alone: there is nothing to put the tokens into.
    """
    owner = model.get_submodule(stack.name.rpartition(".")[0])
    _check_reads_first(model, owner)
    _remove_pooler(model, owner)
    pooled = _Pooled(POOLS[pooling])
    model.register_forward_pre_hook(pooled.begin, with_kwargs=True)
    owner.register_forward_hook(pooled.end)


class _Pooled:
    """The mask of a forward pass. Its methods are hooks, so that a deep copy of the model has its own."""

    def __init__(self, pools: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.pools = pools
        self.mask: Tensor | None = None

    def begin(self, _: nn.Module, args: tuple[Any, ...], inputs: Mapping[str, Any]) -> None:
        self.mask = inputs.get("attention_mask")

    def end(self, _: nn.Module, __: Any, output: Any) -> Any:
        states = states_of(output)
        mask = states.new_ones(states.shape[:2]) if self.mask is None else self.mask
        first = self.pools(states, mask).type_as(states)
        return with_states(output, torch.cat([first[:, None], states[:, 1:]], dim=1))


class FirstToken(nn.Module):
    """In the place of a pooler: the state of the first position as it is, (B, L, H) or (B, H) -> (B, H)."""

    def forward(self, states: Tensor) -> Tensor:
        return states[:, 0] if states.ndim == 3 else states


def _remove_pooler(model: Any, owner: nn.Module) -> None:
    """Put FirstToken in the place of what the base model computes behind `owner`, from its first matrix on: BERT's
    `pooler`, ALBERT's `pooler` and `pooler_activation`. Norms before it stay."""
    called = calls(model)
    names = {child: name for name, child in model.base_model.named_children()}
    behind = [module for module in called[called.index(owner) + 1 :] if module in names]
    for module in dropwhile(lambda module: all(p.ndim == 1 for p in module.parameters()), behind):
        setattr(model.base_model, names[module], FirstToken())


def states_of(output: Any) -> Tensor:
    """The last states (B, L, H) in what a stack's owner gives."""
    states: Tensor = output if torch.is_tensor(output) else output[0]
    return states


def with_states(output: Any, states: Tensor) -> Any:
    """The same with other last states."""
    if torch.is_tensor(output):
        return states
    if isinstance(output, tuple):
        return (states, *output[1:])
    output.last_hidden_state = states
    return output


def _check_reads_first(model: Any, owner: nn.Module) -> None:
    """RunError where the logits change with the last states behind the first position."""
    inputs, training = few_tokens(model), {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            logits = model(**inputs).logits
            hook = owner.register_forward_hook(_blank_behind_first)
            try:
                same = torch.equal(model(**inputs).logits, logits)
            finally:
                hook.remove()
    finally:
        for module, mode in training.items():
            module.training = mode
    if not same:
        raise RunError(
            f"model.pooling: the head of {type(model).__name__} does not read the first token; remove it, or choose "
            f"another checkpoint"
        )


def _blank_behind_first(_: nn.Module, __: Any, output: Any) -> Any:
    states = states_of(output)
    return with_states(output, torch.cat([states[:, :1], torch.zeros_like(states[:, 1:])], dim=1))
