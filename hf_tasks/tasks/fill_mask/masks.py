"""Which tokens of a window are masked, and by what they are replaced.

Both are a pure function of the example, its window and, in training, of seed and epoch: they depend neither on the
batch nor on the number of workers and processes, and a resumed training sees the same. In evaluation they are fixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core.errors import RecipeError
from hf_tasks.tasks.collate import DRAW, IGNORE, MASKED, PaddingCollator
from hf_tasks.tasks.types import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACED, RANDOM = 0.8, 0.1
"""Shares of the masked tokens that become the mask token, and a random token; the others stay (Devlin et al. 2019)."""


def generator(feature: dict[str, Any]) -> np.random.Generator:
    """The random numbers of a window: those of seed and epoch in training, else always the same."""
    draw = feature.get(DRAW, ())
    return np.random.default_rng([*draw, len(draw), feature["example"], feature["window"]])


def masked(labels: np.ndarray, words: np.ndarray | None, probability: float, random: np.random.Generator) -> np.ndarray:
    """The positions that are masked, in order, (k,).

    `labels` (L,): the tokens that may be masked, IGNORE elsewhere. `words` (L,): the word of each token; None: every
    token is masked by itself. k is `probability` times the number of tokens, rounded up or down at random, at least 1;
    words that do not fit are left out, unless none fits (Devlin et al. 2019, https://github.com/google-research/bert).
    """
    candidates = np.flatnonzero(labels != IGNORE)
    if not len(candidates):
        return candidates
    most = max(1, int(probability * len(candidates) + random.random()))
    if words is None:
        return np.sort(random.permutation(candidates)[:most])
    _, word, sizes = np.unique(words[candidates], return_inverse=True, return_counts=True)
    order, chosen, total = random.permutation(len(sizes)), list[int](), 0
    for one in order.tolist():
        if total + sizes[one] <= most:
            chosen.append(one)
            total += sizes[one]
        if total == most:
            break
    return candidates[np.isin(word, chosen or order[:1])]


@dataclass(frozen=True)
class Masking:
    """How windows are masked."""

    probability: float

    def positions(self, feature: dict[str, Any]) -> tuple[np.ndarray, np.random.Generator]:
        """The masked positions of a feature, and the random numbers for their replacements."""
        random, words = generator(feature), feature.get("words")
        labels = np.array(feature["labels"])
        return masked(labels, None if words is None else np.array(words), self.probability, random), random


@dataclass(frozen=True)
class MaskingCollator:
    """Masks and pads: input_ids, attention_mask, labels and masked_positions (B, L). Features without labels are masked
    already, and have the positions that are asked for in their column `asked`."""

    tokenizer: "PreTrainedTokenizerBase"
    masking: Masking
    ordinary: np.ndarray
    """Ids of all tokens but the special ones."""

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase", masking: Masking) -> "MaskingCollator":
        special = set(tokenizer.all_special_ids)
        return cls(tokenizer, masking, np.array(sorted({*tokenizer.get_vocab().values()} - special)))

    def __call__(self, features: Sequence[dict[str, Any]]) -> Batch:
        import torch

        if "labels" in features[0]:
            batch = PaddingCollator(self.tokenizer)([self._masked(feature) for feature in features])
            return batch | {MASKED: batch["labels"] != IGNORE}
        batch = PaddingCollator(self.tokenizer)(features)
        asked = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        for row, feature in zip(asked, features, strict=True):
            row[feature["asked"]] = True
        return batch | {MASKED: asked}

    def _masked(self, feature: dict[str, Any]) -> dict[str, Any]:
        positions, random = self.masking.positions(feature)
        ids, labels = np.array(feature["input_ids"]), np.full(len(feature["labels"]), IGNORE)
        labels[positions] = ids[positions]
        chance, others = random.random(len(positions)), random.choice(self.ordinary, len(positions))
        replaced = np.where(chance < REPLACED, mask_id(self.tokenizer), others)
        ids[positions] = np.where(chance < REPLACED + RANDOM, replaced, ids[positions])
        return feature | {"input_ids": ids.tolist(), "labels": labels.tolist()}


def mask_id(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The id of the mask token. RecipeError where the tokenizer has none."""
    if tokenizer.mask_token_id is None:
        raise RecipeError(
            "model.name_or_path: its tokenizer has no mask token; choose a masked language model such as "
            "distilbert/distilbert-base-uncased"
        )
    return int(tokenizer.mask_token_id)
