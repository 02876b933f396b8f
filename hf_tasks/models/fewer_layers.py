"""Fewer layers of a checkpoint: every k-th, the last one among them, as DistilBERT starts from BERT (Sanh et al. 2019,
https://arxiv.org/abs/1910.01108). The result is a plain, smaller model."""

from typing import Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.models.layers import few_tokens, pretrained_layers

KEY = "model.num_hidden_layers"


def kept(layers: int, number: int) -> list[int]:
    """The numbers of `number` of the `layers`, at equal distances, the last one among them.

    >>> kept(6, 3)
    [1, 3, 5]
    """
    return [(i + 1) * layers // number - 1 for i in range(number)]


def keep_layers(model: Any, number: int) -> None:
    """Keep `number` layers of a model and adapt its configuration.

    Raises RecipeError where it does not have that many, where layers are shared or are in two stacks, and where a new
    model of the configuration would compute something else.
    """
    from torch import nn

    kind, stacks = type(model).__name__, pretrained_layers(model).stacks
    if len(stacks) > 1 or stacks[0].depth > len(stacks[0].blocks):
        reason = "an encoder and a decoder" if len(stacks) > 1 else "layers that share their weights"
        raise RecipeError(f"{KEY}: {kind} has {reason}, which cannot be left out; remove the key")
    layers = len(stacks[0].blocks)
    if number > layers:
        raise RecipeError(f"{KEY}: the checkpoint has {layers} layers, not {number}; choose {layers} or fewer")
    numbers = kept(layers, number)
    blocks = nn.ModuleList(stacks[0].blocks[i] for i in numbers)
    owner, _, name = stacks[0].name.rpartition(".")
    setattr(model.get_submodule(owner), name, blocks)
    for i, block in enumerate(blocks):
        for module in block.modules():
            if hasattr(module, "layer_idx"):
                setattr(module, "layer_idx", i)  # noqa: B010  (of some attentions, for their caches)
    of_layers = {key: value for key, value in vars(model.config).items() if _for_each_layer(value, layers)}
    model.config.num_hidden_layers = number
    model.config.update({key: [value[i] for i in numbers] for key, value in of_layers.items()})
    if not _is_rebuilt(model):
        raise RecipeError(f"{KEY}: layers of {kind} differ by their place and cannot be left out; remove the key")


def _for_each_layer(value: Any, layers: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == layers


def _is_rebuilt(model: Any) -> bool:
    """Whether a new model of the configuration computes the same with the same weights."""
    import torch

    training = model.training
    with torch.random.fork_rng():
        new = type(model)(model.config)
    try:
        new.load_state_dict(model.state_dict())
    except RuntimeError:
        return False
    with torch.no_grad():
        here, there = (one.eval()(**few_tokens(one), output_hidden_states=True) for one in (model, new))
    model.train(training)
    return torch.equal(here.hidden_states[-1], there.hidden_states[-1])
