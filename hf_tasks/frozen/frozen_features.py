"""A frozen encoder runs once over the data; its head then trains on what it gave, which is kept on disk.

What of it the head reads, e.g. the first position of the last layer, is found by trying (`Reads`). Where a model
cannot be understood so, or the states take too much room, the encoder runs in every epoch, and a line says why.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from hf_tasks import distributed
from hf_tasks.frozen import feature_store
from hf_tasks.frozen.feature_store import NoRoom, in_bytes
from hf_tasks.frozen.replay import Reads, Replay, hidden, watched
from hf_tasks.methods import Frozen
from hf_tasks.methods.layers import Stack, pretrained_layers
from hf_tasks.models.fast_cpu import plain_attention
from hf_tasks.recipe import Recipe
from hf_tasks.tasks import DiscriminativeTask, Split
from hf_tasks.tasks.base import Collator
from hf_tasks.tasks.collate import FEATURE_ROW
from hf_tasks.trainer.arguments import autocasts
from hf_tasks.trainer.progress import say

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

BATCH_SIZE = 32
"""Features that are encoded at once."""
TRIED = 8
"""Features on which it is tried what the head reads."""
TOLERANCE = 1e-5
"""Largest difference of two float32 numbers that are the same but for the order of their sums."""
READS = (
    Reads("first", every_layer=False),
    Reads("first", every_layer=True),
    Reads("tokens", every_layer=False),
    Reads("tokens", every_layer=True),
    Reads("padded", every_layer=False),
    Reads("padded", every_layer=True),
)
"""What a head may read, about from the least to the most."""


def remembered(
    recipe: Recipe, model: "nn.Module", splits: dict[str, Split], tokenizer: Any, device: Any
) -> dict[str, Split]:
    """The parts that training reads. Where their states are kept, column `feature_row` tells them to the model, which
    is changed so that it plays them; without that input it computes as before.

    `device`: where the encoder runs.
    """
    learned = {name: split for name, split in splits.items() if name in ("train", "validation")}
    task = recipe.task
    if not (isinstance(recipe.method, Frozen) and recipe.method.cache and isinstance(task, DiscriminativeTask)):
        return learned
    inputs = tuple(n for n in tokenizer.model_input_names if n in learned["train"].features.column_names)
    train = _read_by_model(learned["train"].features, inputs)
    encoder = understood(task, model.to(device), train, inputs, task.collator(tokenizer, model))
    if encoder is None:
        say("  states     what the head reads of this model cannot be kept: the encoder runs in every epoch")
        return learned
    kept: list[Kept] = []
    for name, split in learned.items():
        try:
            read = _read_by_model(split.features, inputs)
            states = encoder.kept(name, read, autocasts(recipe) and name == "train")
        except NoRoom as e:
            say(f"  states     {name}: {e}; the encoder runs in every epoch")
            continue
        first = sum(len(one.lengths) for one in kept)
        kept.append(states)
        column = np.arange(first, first + len(split.features))
        known = split.features.add_column(FEATURE_ROW, column, new_fingerprint=f"{name}-{id(split)}")
        learned[name] = Split(split.examples, known)
    if kept:
        encoder.replay().states = partial(_states, kept)
    return learned


def _read_by_model(features: "Dataset", inputs: Sequence[str]) -> "Dataset":
    """The features' columns for the model, and the labels."""
    return features.select_columns([name for name in features.column_names if name in (*inputs, "labels")])


@dataclass(frozen=True)
class Kept:
    """The states of a part."""

    states: np.ndarray
    """(all positions, layers, H)."""
    starts: np.ndarray
    """(N,) where those of each feature begin."""
    lengths: np.ndarray
    """(N,) positions of each feature."""

    def of(self, rows: np.ndarray, width: int) -> np.ndarray:
        """(B, width, layers, H) states of features (B,); 0 behind the last position of a feature."""
        places, lengths = np.arange(width), self.lengths[rows][:, None]
        states: np.ndarray = self.states[self.starts[rows][:, None] + np.minimum(places, lengths - 1)]
        states[places >= lengths] = 0
        return states


def _states(kept: Sequence[Kept], rows: "Tensor", width: int) -> "Tensor":
    """(B, width, layers, H) states of features (B,), which are counted through the parts and all of one part."""
    numbers = rows.cpu().numpy()
    for part in kept:
        if numbers[0] < len(part.lengths):
            return torch.from_numpy(part.of(numbers, width))
        numbers = numbers - len(part.lengths)
    raise AssertionError(rows)


# -- the encoder


@dataclass(frozen=True)
class Encoder:
    """A model's frozen part, and what is read of it."""

    model: "nn.Module"
    stack: Stack
    inputs: tuple[str, ...]
    """The model's inputs among the columns of the features."""
    collate: Collator
    reads: Reads
    like: Any
    """What one of the blocks gives."""

    def replay(self) -> Replay:
        return Replay(self.model, self.stack, self.reads, self.like)

    def kept(self, name: str, features: "Dataset", in_bfloat16: bool) -> Kept:
        """The states of the features, which are encoded where that was not done before. Raises NoRoom."""
        order, lengths = longest_first(features), self.lengths(features)
        starts = np.empty_like(lengths)
        starts[order] = np.cumsum(lengths[order]) - lengths[order]
        if not distributed.is_main():
            distributed.barrier()
        try:
            return Kept(self._on_disk(name, features, in_bfloat16), starts, lengths)
        finally:
            if distributed.is_main():
                distributed.barrier()

    def _on_disk(self, name: str, features: "Dataset", in_bfloat16: bool) -> np.ndarray:
        shape = (int(self.lengths(features).sum()), self.reads.layers(self.stack), hidden(self.like).shape[-1])
        key, size = self.key(features, in_bfloat16), in_bytes(4 * math.prod(shape))
        with feature_store.locked(key):
            known = feature_store.find(key, shape)
            if known is None:
                feature_store.make_room(4 * math.prod(shape))
                say(f"  states     {name}: {' x '.join(map(str, shape))}, {size}, go to {feature_store.root()}")
                feature_store.write(key, shape, self.states(features, in_bfloat16, f"Encoding {name}"))
                known = feature_store.find(key, shape)
            else:
                say(f"  states     {name}: {size}, found in {feature_store.root()}")
        if known is None:
            raise NoRoom("they were removed by another training")
        return known

    def lengths(self, features: "Dataset") -> np.ndarray:
        """(N,) positions of each feature that are read."""
        lengths = lengths_of(features)
        match self.reads.positions:
            case "first":
                return np.ones_like(lengths)
            case "padded":
                return np.full_like(lengths, lengths.max(initial=0))
            case _:
                return lengths

    def states(self, features: "Dataset", in_bfloat16: bool, description: str) -> Iterator[np.ndarray]:
        """The states (positions, layers, H) of batches of features, the longest first."""
        order, lengths = longest_first(features), self.lengths(features)
        widest = order[:1] if self.reads.positions == "padded" else order[:0]  # in every batch, for its width
        bar = tqdm(total=len(order), desc=description, unit=" features", disable=None, leave=False)
        self.model.eval()
        with bar, watched(self.stack) as outputs:
            for start in range(0, len(order), BATCH_SIZE):
                rows = order[start : start + BATCH_SIZE]
                self.run([*rows, *widest], features, in_bfloat16)
                states = self.read(outputs)[: len(rows)].cpu().numpy()  # (B, L, layers, H)
                outputs.clear()
                yield states[np.arange(states.shape[1]) < lengths[rows][:, None]]
                bar.update(len(rows))

    def read(self, outputs: Sequence[Any]) -> "Tensor":
        """(B, L, layers, H) in float32, of what the blocks gave."""
        return torch.stack([hidden(one).float() for one in outputs[-self.reads.layers(self.stack) :]], dim=2)

    def run(
        self, rows: Sequence[int], features: "Dataset", in_bfloat16: bool = False, known: "Tensor | None" = None
    ) -> tuple[Any, Any]:
        """The model's output for rows of the features, and their labels, padded; None where they have none.

        `known` (B,): what to give a replay as `feature_row`.
        """
        columns = features[list(rows)]
        batch = self.collate(
            [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        )
        device = next(self.model.parameters()).device
        batch |= {} if known is None else {FEATURE_ROW: known}
        tensors = {name: tensor.to(device) for name, tensor in batch.items()}
        labels = tensors.pop("labels", None)
        with (
            plain_attention(),
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16),
        ):
            return self.model(**tensors), labels

    def key(self, features: "Dataset", in_bfloat16: bool) -> str:
        """What the states depend on, as 64 hexadecimal digits."""
        facts = [self._model_key, self.reads, in_bfloat16, version("torch"), version("transformers"), self.inputs]
        digest = hashlib.sha256(repr(facts).encode())
        for name in self.inputs:
            numbers, lengths = _ragged(features, name)
            digest.update(numbers.tobytes() + lengths.tobytes())
        return digest.hexdigest()

    @cached_property
    def _model_key(self) -> str:
        """SHA-256 of the model's configuration and of all its weights that do not train."""
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        config: Any = self.model.config
        digest = hashlib.sha256(f"{type(self.model).__name__} {config.to_json_string()}".encode())
        for name, tensor in self.model.state_dict().items():
            if name not in trained:
                digest.update(name.encode() + tensor.cpu().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def understood(
    task: DiscriminativeTask, model: "nn.Module", features: "Dataset", inputs: tuple[str, ...], collate: Collator
) -> Encoder | None:
    """The model's encoder, with the least to read that gives the same logits and loss; None where nothing does."""
    stack, *more = pretrained_layers(model).stacks
    order = longest_first(features)
    rows = order[np.unique(np.linspace(0, len(order) - 1, TRIED).astype(np.int64))].tolist()  # of many lengths
    tokens = torch.from_numpy(lengths_of(features)[rows])
    model.eval()
    with watched(stack) as outputs:
        expected = Encoder(model, stack, inputs, collate, READS[-1], None).run(rows, features)
    if more or len(outputs) != stack.depth:
        return None
    for reads in READS:
        encoder = Encoder(model, stack, inputs, collate, reads, outputs[0])
        found = _tried(encoder, rows, features, encoder.read(outputs), tokens)
        if found is not None and _equal(task, expected, found, None if reads.positions == "padded" else tokens):
            return encoder
    return None


def _tried(
    encoder: Encoder, rows: Sequence[int], features: "Dataset", states: "Tensor", tokens: "Tensor"
) -> tuple[Any, Any] | None:
    """As `Encoder.run`, with the known `states` (B, L, layers, H) of these rows; None where that cannot be computed."""
    if encoder.reads.positions != "padded":
        padding = torch.arange(states.shape[1]) >= tokens[:, None]
        states = states.masked_fill(padding[:, :, None, None].to(states.device), 0)
    replay = encoder.replay()
    replay.states = lambda rows, width: states[:, :width]
    try:
        return encoder.run(rows, features, known=torch.arange(len(rows)))
    except (RuntimeError, IndexError, TypeError):
        return None
    finally:
        replay.remove()


def _equal(
    task: DiscriminativeTask, expected: tuple[Any, Any], found: tuple[Any, Any], tokens: "Tensor | None"
) -> bool:
    """Whether two (outputs, labels) have the same loss and logits; behind the `tokens` (B,) logits may differ."""
    pairs = [(logits, found[0][name]) for name, logits in expected[0].items() if isinstance(logits, torch.Tensor)]
    if not all(a.shape == b.shape and _close(_read(a, tokens), _read(b, tokens)) for a, b in pairs):
        return False
    return expected[1] is None or _close(task.loss(*expected), task.loss(*found))


def _read(logits: "Tensor", tokens: "Tensor | None") -> "Tensor":
    """Of logits (B, L, ...) those at tokens; of others all."""
    if tokens is None or logits.shape[:2] != (len(tokens), int(tokens.max())):
        return logits
    return logits[torch.arange(logits.shape[1]) < tokens[:, None]]


def _close(a: "Tensor", b: "Tensor") -> bool:
    return torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)


def longest_first(features: "Dataset") -> np.ndarray:
    """(N,) rows of the features."""
    return np.argsort(-lengths_of(features), kind="stable")


def lengths_of(features: "Dataset") -> np.ndarray:
    """(N,) tokens."""
    return _ragged(features, "input_ids")[1]


def _ragged(features: "Dataset", name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists: all their numbers, and how many each has (N,)."""
    import pyarrow.compute as pc

    column = features.select_columns(name).with_format("arrow")[:].column(name)
    return pc.list_flatten(column).to_numpy().astype(np.int64), pc.list_value_length(column).to_numpy().astype(np.int64)
