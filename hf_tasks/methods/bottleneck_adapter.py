"""Bottleneck adapters: small new layers inside every block are trained, the pretrained weights are frozen.

houlsby   two a block, one on the output of the attention and one on that of the feed-forward, h -> h + f(h), behind
          their dropout and before their sum with the residual stream r (a third on a decoder's cross-attention); the
          blocks' norms train too (Houlsby et al. 2019, https://arxiv.org/abs/1902.00751)
pfeiffer  one a block, on the sum of the feed-forward's output and the residual stream: norm(h + r + f(norm(h + r))); no
          norm trains (Pfeiffer et al. 2021, https://aclanthology.org/2021.eacl-main.39, as SeqBnConfig of the library
          adapters has it). Blocks whose norms come first (T5) have none behind the sum: h + r + f(h + r)

f(x) = up(activation(down(x))). A model that calls dropout as a function (BART) has Houlsby's adapter before it. Layers
that share parameters (ALBERT) share adapters.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.methods.base import Method, Saved
from hf_tasks.models.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn

    from hf_tasks.methods.adapter_layer import Adapter
    from hf_tasks.models.sublayers import Sublayer

PUBLISHED_ACTIVATION = {"houlsby": "gelu", "pfeiffer": "relu"}


class BottleneckAdapter(Method):
    """Trains small layers inside every block, and the new head (Houlsby et al. 2019, https://arxiv.org/abs/1902.00751;
    Pfeiffer et al. 2021, https://aclanthology.org/2021.eacl-main.39)."""

    learning_rate: ClassVar[float] = 1e-3
    """Within the 3e-5 to 3e-3 that Houlsby et al. search."""
    saves: ClassVar[Saved] = "trained"

    name: Literal["bottleneck-adapter"]
    variant: Literal["houlsby", "pfeiffer"] = "houlsby"
    """Which published placement."""
    reduction_factor: int = Field(16, ge=1)
    """The model's hidden size over the adapter's. 16, AdapterHub's default (https://aclanthology.org/2020.emnlp-demos.7),
    gives 48 units in BERT-base; Houlsby et al. try 8, 64 and 256."""
    activation: Literal["gelu", "relu", "silu", "tanh"] | None = None
    """Between the adapter's two layers; None: as published, gelu for houlsby, relu for pfeiffer."""

    def prepare(self, model: "nn.Module") -> "nn.Module":
        from hf_tasks.methods.adapter_layer import put_around_norm, put_behind
        from hf_tasks.models.sublayers import sublayers_of

        layers = pretrained_layers(model)
        norms = _block_norms(model, layers) if self.variant == "houlsby" else set()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in layers.new or name in norms)
        blocks = [block for stack in layers.stacks for block in stack.blocks]
        for block, sublayers in zip(blocks, sublayers_of(model, layers.stacks), strict=True):
            last = sublayers[-1]
            if self.variant == "houlsby":
                for sublayer in sublayers:
                    put_behind(sublayer.end, self._adapter(sublayer))
            elif last.norm is not None:
                put_around_norm(last.norm, self._adapter(last))
            else:
                put_behind(block, self._adapter(last))
        return model

    def merge(self, model: "nn.Module") -> "nn.Module":
        raise RunError(
            "method.name: a bottleneck-adapter cannot be merged: the activation between its two layers is not linear; "
            "use the run as it is"
        )

    def _adapter(self, sublayer: "Sublayer") -> "Adapter":
        from hf_tasks.methods.adapter_layer import Adapter

        width = sublayer.width
        if self.reduction_factor > width:
            raise RecipeError(
                f"method.reduction_factor: {self.reduction_factor} leaves nothing of the hidden size {width}; "
                f"give at most {width}"
            )
        activation = self.activation or PUBLISHED_ACTIVATION[self.variant]
        adapter = Adapter(width, width // self.reduction_factor, activation)
        return adapter.to(next(sublayer.projection.parameters()).device)


def _block_norms(model: "nn.Module", layers: Layers) -> set[str]:
    """The parameters of the blocks' norms: of modules whose own parameters are vectors, a `weight` among them."""
    in_blocks = {name for block in layers.blocks for name in block}
    found = set()
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if "weight" in own and all(parameter.dim() == 1 for parameter in own.values()):
            found |= {f"{prefix}.{name}" for name in own} & in_blocks
    return found
