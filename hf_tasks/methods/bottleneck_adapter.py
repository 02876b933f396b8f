"""Bottleneck adapters: small new layers inside every block train, the checkpoint's own weights rest.

houlsby   two a block, behind the attention's and the feed-forward's output projection, each before its sum with the
          residual stream (a third behind a decoder's cross-attention); the blocks' norms train too
          (Houlsby et al. 2019, https://arxiv.org/abs/1902.00751)
pfeiffer  one a block, behind the feed-forward's; no norm trains (Pfeiffer et al. 2021,
          https://aclanthology.org/2021.eacl-main.39, who set theirs behind the sum and its norm)

The adapter stands before the sublayer's dropout, which stays on. Layers that share parameters (ALBERT) share adapters.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hf_tasks.errors import RecipeError, RunError
from hf_tasks.methods.base import Method, Saved
from hf_tasks.methods.layers import Layers, pretrained_layers

if TYPE_CHECKING:
    from torch import nn

PUBLISHED_ACTIVATION = {"houlsby": "gelu", "pfeiffer": "relu"}


class BottleneckAdapter(Method):
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
        from hf_tasks.methods.sublayers import output_projections

        layers = pretrained_layers(model)
        norms = _block_norms(model, layers) if self.variant == "houlsby" else set()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in layers.head or name in norms)
        for projections in output_projections(model, layers.stacks):
            for projection, width in projections if self.variant == "houlsby" else projections[-1:]:
                self._adapt(projection, width)
        return model

    def merge(self, model: "nn.Module") -> "nn.Module":
        raise RunError(
            "method.name: a bottleneck-adapter cannot be merged: its activation between two layers is no matrix; "
            "use the run as it is"
        )

    def _adapt(self, projection: "nn.Module", width: int) -> None:
        from hf_tasks.methods.adapter import Adapter, put_behind

        if self.reduction_factor > width:
            raise RecipeError(
                f"method.reduction_factor: {self.reduction_factor} leaves nothing of the hidden size {width}; "
                f"give at most {width}"
            )
        activation = self.activation or PUBLISHED_ACTIVATION[self.variant]
        adapter = Adapter(width, width // self.reduction_factor, activation)
        put_behind(projection, adapter.to(next(projection.parameters()).device))


def _block_norms(model: "nn.Module", layers: Layers) -> set[str]:
    """The parameters of the blocks' norms: of modules whose own parameters are vectors, a `weight` among them."""
    in_blocks = {name for block in layers.blocks for name in block}
    found = set()
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if "weight" in own and all(parameter.dim() == 1 for parameter in own.values()):
            found |= {f"{prefix}.{name}" for name in own} & in_blocks
    return found
