"""Masked language models: logits of the masked positions alone, and the pooler, which they do not have.

The output layer has a row for each token of the vocabulary: at every position it takes longer than a small encoder, and
its logits (B, L, V) more memory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks.collate import MASKED

if TYPE_CHECKING:
    from torch import Tensor, nn

POOLER, NEW_HEAD = "pooler_source", "new_head"
"""Attributes of a model: see `keep_pooler` and `note_head`."""


def select_masked(model: "nn.Module") -> None:
    """Let `model(..., masked_positions=positions)`, booleans (B, L), give logits (n, V) of these n positions, row by
    row. Without this input the model computes as before."""
    selection, forward = _Selection(), model.forward
    base: Any = model.base_model
    if base is not model:
        base.register_forward_hook(selection.end)

    @wraps(forward)
    def selecting(*args: Any, **inputs: Any) -> Any:
        positions = inputs.pop(MASKED, None)
        with selection.of(positions):
            output = forward(*args, **inputs)
        if positions is not None and output.logits.ndim > 2:  # the base model is not a module of its own
            output.logits = output.logits[positions]
        return output

    model.forward = selecting  # PEFT calls it directly, so that hooks of the model do not suffice


class _Selection:
    """The positions of a forward pass."""

    def __init__(self) -> None:
        self.positions: Tensor | None = None

    @contextmanager
    def of(self, positions: "Tensor | None") -> Iterator[None]:
        self.positions = positions
        try:
            yield
        finally:
            self.positions = None

    def end(self, _: "nn.Module", __: Any, output: Any) -> Any:
        """Return the base model's output with the selected states (n, H) of its last states (B, L, H)."""
        from hf_tasks.models.pooling import states_of, with_states  # which imports torch

        return output if self.positions is None else with_states(output, states_of(output)[self.positions])


def lacks_pooler(model: Any) -> bool:
    """Whether the base model is of a class with a pooler, and was built without it."""
    return hasattr(model.base_model, "pooler") and model.base_model.pooler is None


def keep_pooler(model: Any, source: Callable[[], tuple[Any, set[str]]]) -> None:
    """Keep with a model that has no pooler where its checkpoint's is, for the models that start from its run.

    `source` loads (the base model of the checkpoint, its weights that are not in the checkpoint).
    """
    setattr(model, POOLER, source)


def pooler_of(model: Any) -> dict[str, "Tensor"]:
    """The weights of the pooler that `keep_pooler` has kept, by their names in a checkpoint."""
    if not hasattr(model, POOLER):
        return {}
    source, absent = getattr(model, POOLER)()
    weights = {n: p.detach() for n, p in source.named_parameters() if n.startswith("pooler.") and n not in absent}
    return {f"{model.base_model_prefix}.{name}": weight for name, weight in weights.items()}


def note_head(model: Any, absent: set[str]) -> None:
    """Keep with a freshly loaded model which weights of its output layer are not the checkpoint's."""
    prefix = f"{model.base_model_prefix}."
    setattr(model, NEW_HEAD, sorted(name for name in absent if not name.startswith(prefix)))


def new_head(model: Any) -> list[str]:
    """The weights of the output layer that `note_head` has found to be new."""
    names: list[str] = getattr(model, NEW_HEAD, [])
    return names
