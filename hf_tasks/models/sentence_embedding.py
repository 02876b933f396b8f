"""Sentence embeddings: a model without a head also gives the pooled vector of each text.

input ids (B, T, L) or (B, L) -> outputs["sentence_embedding"] (B, T, H) or (B, H), float32
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers.utils import ModelOutput

from hf_tasks.models.pooling import POOLS, Pooling

EMBEDDING = "sentence_embedding"


@dataclass
class SentenceEmbeddings(ModelOutput):  # type: ignore[misc]
    """The outputs of a model of sentence embeddings."""

    sentence_embedding: Tensor | None = None
    last_hidden_state: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


def embed_sentences(model: nn.Module, pooling: Pooling) -> None:
    """Let the model read several texts a row, and add their embeddings to its outputs. No names change."""
    hooks = _Hooks(pooling)
    model.register_forward_pre_hook(hooks.flatten, with_kwargs=True)
    model.register_forward_hook(hooks.pool, with_kwargs=True)


class _Hooks:
    """The shape of a forward pass. Its methods are hooks, so that a deep copy of the model has its own."""

    def __init__(self, pooling: Pooling) -> None:
        self.pools = POOLS[pooling]
        self.texts: int | None = None

    def flatten(self, _: nn.Module, args: tuple[Any, ...], inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        ids = inputs.get("input_ids")
        self.texts = ids.shape[1] if ids is not None and ids.ndim == 3 else None
        if self.texts is None:
            return args, dict(inputs)
        flat = {n: x.flatten(0, 1) if isinstance(x, Tensor) and x.ndim == 3 else x for n, x in inputs.items()}
        return args, flat

    def pool(self, _: nn.Module, __: Any, inputs: Mapping[str, Any], outputs: Any) -> Any:
        states = outputs["last_hidden_state"]
        mask = inputs.get("attention_mask")
        vectors = self.pools(states, states.new_ones(states.shape[:2]) if mask is None else mask)
        shaped = vectors if self.texts is None else vectors.view(-1, self.texts, vectors.shape[-1])
        return SentenceEmbeddings(shaped, states, outputs.get("hidden_states"), outputs.get("attentions"))
