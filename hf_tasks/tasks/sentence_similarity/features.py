"""Several texts of each row to features, and to padded tensors."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.collate import padded_texts
from hf_tasks.tasks.text_classification.features import TextReader
from hf_tasks.tasks.types import Batch, Features

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def features_of(rows: Sequence[Sequence[str]], tokenizer: "PreTrainedTokenizerBase", limit: int) -> Features:
    """Features of rows of texts: the tokenizer's columns have a list for each text; `text_numbers` (texts,) are equal
    for equal texts; `length` and `tokens_cut` are those of the longest text."""
    flat = [text for texts in rows for text in texts]
    encoded = TextReader(tokenizer, limit, None).features(flat, None)
    numbers = {text: number_of(text) for text in flat}
    spans = list(pairwise(accumulate(map(len, rows), initial=0)))
    own = {name: encoded[name] for name in encoded if name not in ("example", "length", "tokens_cut")}
    return {
        **{name: [column[start:end] for start, end in spans] for name, column in own.items()},
        "text_numbers": [[numbers[text] for text in texts] for texts in rows],
        "example": list(range(len(rows))),
        **{name: [max(encoded[name][start:end]) for start, end in spans] for name in ("length", "tokens_cut")},
    }


def number_of(text: str) -> int:
    """A number of 63 bits; two of a million texts have the same one with a probability of 1 in 10 million."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class TextsCollator:
    """Pads tokens and texts: (B, T, L) inputs; for the loss `loss_real` (B, T), which of the T texts are real, and
    `loss_texts` (B, T), their numbers."""

    tokenizer: "PreTrainedTokenizerBase"

    def __call__(self, features: list[dict[str, Any]]) -> Batch:
        import torch

        batch, real = padded_texts(self.tokenizer, features)
        numbers = np.zeros(real.shape, np.int64)
        for row, feature in enumerate(features):
            numbers[row, : len(feature["text_numbers"])] = feature["text_numbers"]
        batch |= {"loss_real": real, "loss_texts": torch.from_numpy(numbers)}
        if "labels" in features[0]:
            batch["labels"] = torch.tensor([float(feature["labels"]) for feature in features])
        return batch


def groups(rows: Iterable[Sequence[str]]) -> np.ndarray:
    """(E,) a number for each row of texts; rows that are connected by equal texts have the same one."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    known: dict[str, int] = {}
    pairs = np.array([(row, known.setdefault(text, len(known))) for row, texts in enumerate(rows) for text in texts])
    count = int(pairs[:, 0].max()) + 1
    size = count + len(known)
    graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], count + pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][:count])
