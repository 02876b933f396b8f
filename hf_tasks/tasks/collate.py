"""Features to padded tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from hf_tasks.tasks.types import Batch

IGNORE = -100
"""The label of positions that do not count (torch.nn.CrossEntropyLoss.ignore_index)."""
DRAW = "draw"
"""Column that training adds: (seed, epoch), for what a collator draws at random."""
MASKED = "masked_positions"
"""Model input (B, L): the positions whose logits are computed (see models/masked_lm.py)."""
FEATURE_ROW = "feature_row"
"""Column and model input (B,): the rows of the features, where the encoder's states are cached."""


def model_inputs(batch: "Batch") -> "Batch":
    """The columns of a batch that the model reads."""
    return {name: tensor for name, tensor in batch.items() if name != "labels" and not name.startswith("loss_")}


def items_in(batch: "Batch") -> "Tensor":
    """What the mean loss of a batch is divided by (scalar): the sum of `loss_weights`, or else the number of labels
    that are not -100."""
    return batch["loss_weights"].sum() if "loss_weights" in batch else (batch["labels"] != IGNORE).sum()


@dataclass(frozen=True)
class PaddingCollator:
    """Pads the tokenizer's columns and `labels` to the longest feature of the batch; other columns are left out.

    >>> PaddingCollator(tokenizer)([{"input_ids": [5, 6], "labels": 1}, {"input_ids": [7], "labels": 0}])
    {"input_ids": tensor([[5, 6], [7, 0]]), "labels": tensor([1, 0])}
    """

    tokenizer: "PreTrainedTokenizerBase"

    def __call__(self, features: Sequence[dict[str, Any]]) -> "dict[str, Tensor]":
        import torch

        names = [name for name in (*self.tokenizer.model_input_names, "labels", FEATURE_ROW) if name in features[0]]
        return {name: torch.from_numpy(self._padded([f[name] for f in features], name)) for name in names}

    def _padded(self, rows: list[Any], name: str) -> np.ndarray:
        """(B, longest row), or (B,) for scalars; int64 or float32."""
        if not isinstance(rows[0], list):
            return _typed(np.array(rows))
        lengths = [len(row) for row in rows]
        width, left = max(lengths), self.tokenizer.padding_side == "left"
        padded = np.full((len(rows), width), self._pad_value(name), dtype=_typed(np.array(rows[0])).dtype)
        for i, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            padded[i, width - length if left else 0 : width if left else length] = row
        return padded

    def _pad_value(self, name: str) -> int:
        match name:
            case "input_ids":
                return int(self.tokenizer.pad_token_id)
            case "token_type_ids":
                return int(self.tokenizer.pad_token_type_id)
            case "labels":
                return IGNORE
            case _:
                return 0


def padded_texts(
    tokenizer: "PreTrainedTokenizerBase", features: Sequence[dict[str, Any]]
) -> "tuple[dict[str, Tensor], Tensor]":
    """The tokenizer's columns of features with several texts as (B, T, L), and which of the T texts are real (B, T).

    A text that is padding has one token, so that no row of attention is empty.
    """
    import torch

    names = [name for name in tokenizer.model_input_names if name in features[0]]
    counts = [len(feature["input_ids"]) for feature in features]
    empty = {name: [int(tokenizer.pad_token_id) if name == "input_ids" else 1] for name in names}
    empty |= {"token_type_ids": [0]} if "token_type_ids" in names else {}
    texts = [
        {name: feature[name][i] for name in names} if i < count else empty
        for feature, count in zip(features, counts, strict=True)
        for i in range(max(counts))
    ]
    flat = PaddingCollator(tokenizer)(texts)  # (B * T, L)
    batch = {name: tensor.view(len(features), max(counts), -1) for name, tensor in flat.items()}
    return batch, torch.arange(max(counts)) < torch.tensor(counts)[:, None]


@dataclass(frozen=True)
class SequenceCollator:
    """As PaddingCollator, with the `decoder_input_ids` of teacher forcing where there are labels."""

    tokenizer: "PreTrainedTokenizerBase"
    shift: "Callable[[Tensor], Tensor]"
    """The model's own way from labels (B, T) to decoder_input_ids (B, T), `prepare_decoder_input_ids_from_labels`."""

    def __call__(self, features: Sequence[dict[str, Any]]) -> "dict[str, Tensor]":
        batch = PaddingCollator(self.tokenizer)(features)
        return batch | ({"decoder_input_ids": self.shift(batch["labels"])} if "labels" in batch else {})


def _typed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
