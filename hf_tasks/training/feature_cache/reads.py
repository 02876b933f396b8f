"""Detect by tests which states of a frozen encoder the head reads, e.g. the first position of the last layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hf_tasks.models.layers import pretrained_layers
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Collator
from hf_tasks.training.feature_cache.encoder import Encoder, lengths_of, longest_first
from hf_tasks.training.feature_cache.replay import Reads, record_outputs

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

TRIED = 8
"""Number of features for the tests."""
TOLERANCE = 1e-5
"""Largest difference of float32 numbers that counts as rounding."""
READS = (
    Reads("first", every_layer=False),
    Reads("first", every_layer=True),
    Reads("tokens", every_layer=False),
    Reads("tokens", every_layer=True),
    Reads("padded", every_layer=False),
    Reads("padded", every_layer=True),
)
"""The possible reads, roughly from the fewest to the most states."""


def detect_reads(
    task: Task, model: "nn.Module", features: "Dataset", inputs: tuple[str, ...], collate: Collator
) -> Encoder | None:
    """Return the model's encoder with the fewest states that give the same logits and loss, or None."""
    stack, *more = pretrained_layers(model).stacks
    order = longest_first(features)
    rows = order[np.unique(np.linspace(0, len(order) - 1, TRIED).astype(np.int64))].tolist()  # of many lengths
    tokens = torch.from_numpy(lengths_of(features)[rows])
    model.eval()
    with record_outputs(stack) as outputs:
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
    """Run the model with the given `states` (B, L, layers, H) of these features; None if that is impossible."""
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


def _equal(task: Task, expected: tuple[Any, Any], found: tuple[Any, Any], tokens: "Tensor | None") -> bool:
    """Whether two (outputs, batch) have the same loss and logits, ignoring positions after the `tokens` (B,)."""
    pairs = [(logits, found[0][name]) for name, logits in expected[0].items() if isinstance(logits, torch.Tensor)]
    if not all(a.shape == b.shape and _close(_read(a, tokens), _read(b, tokens)) for a, b in pairs):
        return False
    return "labels" not in expected[1] or _close(task.loss(*expected), task.loss(*found))


def _read(logits: "Tensor", tokens: "Tensor | None") -> "Tensor":
    """Return the logits (B, L, ...) at tokens, or all logits of other shapes."""
    if tokens is None or logits.shape[:2] != (len(tokens), int(tokens.max())):
        return logits
    return logits[torch.arange(logits.shape[1]) < tokens[:, None]]


def _close(a: "Tensor", b: "Tensor") -> bool:
    return torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
