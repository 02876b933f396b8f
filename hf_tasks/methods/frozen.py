"""A frozen encoder: only the layers above the last block are trained, on features that never change (the feature-based
approach of Peters et al. 2019, https://aclanthology.org/W19-4302)."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from hf_tasks.core.errors import RecipeError
from hf_tasks.methods.base import Method, Saved
from hf_tasks.models.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn


class Frozen(Method):
    """Trains the head on the cached outputs of a frozen encoder (Peters et al. 2019,
    https://aclanthology.org/W19-4302)."""

    learning_rate: ClassVar[float] = 5e-3
    """A new head alone bears far more than full fine-tuning: the best of 3e-4 to 3e-2 with MiniLM."""
    saves: ClassVar[Saved] = "trained"

    name: Literal["frozen"]
    cache: bool = True
    """Compute the encoder's hidden states once, keep them on disk, and train the head on them; false: each epoch."""

    def prepare(self, model: "nn.Module") -> "nn.Module":
        layers = pretrained_layers(model)
        trained = head(model, layers)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
        training = model.training
        model.eval()
        below = set(layers.encoder)
        above = [module for module in model.modules() if module not in below]
        model.train = partial(_train, model, above)  # type: ignore[method-assign]
        return model.train(training)


def head(model: "nn.Module", layers: Layers) -> set[str]:
    """The parameters of the modules that work after the last block has, without those of the checkpoint's base model.

    RecipeError where there are none, or there is no more than a norm: the output layer is then the table of embeddings
    (T5, GPT-2).
    """
    below = {id(parameter) for module in layers.encoder for parameter in module.parameters(recurse=False)}
    above = {n: p for n, p in model.named_parameters() if n in layers.head and id(p) not in below}
    trained = {name for name in above if name in layers.new}
    if not any(above[name].ndim > 1 for name in trained):
        raise RecipeError(
            f"method.name: frozen trains the head above the last layer, and {type(model).__name__} has none of its own "
            f"(found: {', '.join(above) or 'nothing'}); choose another method"
        )
    return trained


def _train(model: "nn.Module", above: Sequence["nn.Module"], mode: bool = True) -> "nn.Module":
    """`model.train(mode)` of the modules above the frozen ones alone: the dropout of these stays off."""
    for module in above:
        module.training = mode
    return model
