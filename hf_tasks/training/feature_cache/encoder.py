"""The frozen encoder of a model and its cached hidden states."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hf_tasks.core import distributed
from hf_tasks.core.cpu_kernels import plain_attention
from hf_tasks.core.progress import progress
from hf_tasks.core.terminal import say
from hf_tasks.models.layers import Stack
from hf_tasks.tasks.collate import FEATURE_ROW, model_inputs
from hf_tasks.tasks.types import Collator
from hf_tasks.training.feature_cache import store
from hf_tasks.training.feature_cache.replay import Reads, Replay, hidden_states, record_outputs
from hf_tasks.training.feature_cache.store import CacheFull, in_bytes

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

BATCH_SIZE = 32
"""Features per batch of the encoder."""


@dataclass(frozen=True)
class CachedStates:
    """The cached states of a split."""

    states: np.ndarray
    """(all positions, layers, H)."""
    starts: np.ndarray
    """(N,) first position of each feature."""
    lengths: np.ndarray
    """(N,) number of positions of each feature."""

    def of(self, rows: np.ndarray, width: int) -> np.ndarray:
        """Return (B, width, layers, H) states of features (B,), 0 after the last position of a feature."""
        places, lengths = np.arange(width), self.lengths[rows][:, None]
        states: np.ndarray = self.states[self.starts[rows][:, None] + np.minimum(places, lengths - 1)]
        states[places >= lengths] = 0
        return states


@dataclass(frozen=True)
class Encoder:
    """The frozen encoder of a model, and which of its states are read."""

    model: "nn.Module"
    stack: Stack
    inputs: tuple[str, ...]
    """The columns of the features that are inputs of the model."""
    collate: Collator
    reads: Reads
    like: Any
    """An output of a block."""

    def replay(self) -> Replay:
        return Replay(self.model, self.stack, self.reads, self.like)

    def cached(self, name: str, features: "Dataset", in_bfloat16: bool) -> CachedStates:
        """Return the states of the features from the cache, after encoding them if necessary. Raises CacheFull."""
        if not distributed.is_main():
            distributed.barrier()
        try:
            return self._placed(self._on_disk(name, features, in_bfloat16), features)
        finally:
            if distributed.is_main():
                distributed.barrier()

    def in_memory(self, features: "Dataset", in_bfloat16: bool) -> CachedStates:
        """Encode a few features and keep their states in memory."""
        return self._placed(np.concatenate(list(self.states(features, in_bfloat16, "Encoding"))), features)

    def _placed(self, states: np.ndarray, features: "Dataset") -> CachedStates:
        order, lengths = longest_first(features), self.lengths(features)
        starts = np.empty_like(lengths)
        starts[order] = np.cumsum(lengths[order]) - lengths[order]
        return CachedStates(states, starts, lengths)

    def shape(self, features: "Dataset") -> tuple[int, int, int]:
        """Return the shape (positions, layers, H) of the states of all features."""
        return int(self.lengths(features).sum()), self.reads.layers(self.stack), hidden_states(self.like).shape[-1]

    def _on_disk(self, name: str, features: "Dataset", in_bfloat16: bool) -> np.ndarray:
        shape = self.shape(features)
        key, size = self.key(features, in_bfloat16), in_bytes(4 * math.prod(shape))
        with store.locked(key):
            known = store.find(key, shape)
            if known is None:
                store.make_room(4 * math.prod(shape))
                say(f"  cache      {name}: {' x '.join(map(str, shape))}, {size}, written to {store.root()}")
                store.write(key, shape, self.states(features, in_bfloat16, f"Encoding {name}"))
                known = store.find(key, shape)
            else:
                say(f"  cache      {name}: {size}, found in {store.root()}")
        if known is None:
            raise CacheFull("they were removed by another training")
        return known

    def lengths(self, features: "Dataset") -> np.ndarray:
        """Return (N,) the number of positions of each feature that are read."""
        lengths = lengths_of(features)
        match self.reads.positions:
            case "first":
                return np.ones_like(lengths)
            case "padded":
                return np.full_like(lengths, lengths.max(initial=0))
            case _:
                return lengths

    def states(self, features: "Dataset", in_bfloat16: bool, description: str) -> Iterator[np.ndarray]:
        """Yield the states (positions, layers, H) of batches of features, the longest first."""
        order, lengths = longest_first(features), self.lengths(features)
        widest = order[:1] if self.reads.positions == "padded" else order[:0]  # in every batch, for its width
        shown = progress(len(order), description, "features")
        self.model.eval()
        with shown as bar, record_outputs(self.stack) as outputs:
            for start in range(0, len(order), BATCH_SIZE):
                rows = order[start : start + BATCH_SIZE]
                self.run([*rows, *widest], features, in_bfloat16)
                states = self.read(outputs)[: len(rows)].cpu().numpy()  # (B, L, layers, H)
                outputs.clear()
                yield states[np.arange(states.shape[1]) < lengths[rows][:, None]]
                bar.update(len(rows))

    def read(self, outputs: Sequence[Any]) -> "Tensor":
        """Return the float32 states (B, L, layers, H) in the outputs of the blocks."""
        return torch.stack([hidden_states(one).float() for one in outputs[-self.reads.layers(self.stack) :]], dim=2)

    def run(
        self, rows: Sequence[int], features: "Dataset", in_bfloat16: bool = False, known: "Tensor | None" = None
    ) -> tuple[Any, Any]:
        """Return the model's output for some features, and the batch.

        `known` (B,): the input `feature_row` for a replay.
        """
        columns = features[list(rows)]
        batch = self.collate(
            [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        )
        device = next(self.model.parameters()).device
        batch |= {} if known is None else {FEATURE_ROW: known}
        tensors = {name: tensor.to(device) for name, tensor in batch.items()}
        with (
            plain_attention(),
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16),
        ):
            return self.model(**model_inputs(tensors)), tensors

    def key(self, features: "Dataset", in_bfloat16: bool) -> str:
        """Return the SHA-256 of everything that the states depend on."""
        facts = [self._model_key, self.reads, in_bfloat16, version("torch"), version("transformers"), self.inputs]
        digest = hashlib.sha256(repr(facts).encode())
        for name in self.inputs:
            numbers, lengths = _ragged(features, name)
            digest.update(numbers.tobytes() + lengths.tobytes())
        return digest.hexdigest()

    @cached_property
    def _model_key(self) -> str:
        """SHA-256 of the model's configuration and its frozen weights."""
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        config: Any = self.model.config
        digest = hashlib.sha256(f"{type(self.model).__name__} {config.to_json_string()}".encode())
        for name, tensor in self.model.state_dict().items():
            if name not in trained:
                digest.update(name.encode() + tensor.cpu().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def longest_first(features: "Dataset") -> np.ndarray:
    """Return (N,) the indices of the features, the longest first."""
    return np.argsort(-lengths_of(features), kind="stable")


def lengths_of(features: "Dataset") -> np.ndarray:
    """Return (N,) the number of tokens of each feature."""
    return _ragged(features, "input_ids")[1]


def _ragged(features: "Dataset", name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all numbers in a column of lists, and the length of each list (N,)."""
    import pyarrow.compute as pc

    column = features.select_columns(name).with_format("arrow")[:].column(name)
    return pc.list_flatten(column).to_numpy().astype(np.int64), pc.list_value_length(column).to_numpy().astype(np.int64)
