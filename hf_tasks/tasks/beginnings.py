"""The beginnings of very long texts: where a model reads 32 tokens, 50 MB are not tokenized."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAST = 100_000
"""Texts of at most this many characters are tokenized whole."""
PER_TOKEN = 100
"""Characters for each token that is read; words have fewer."""


def beginnings(texts: Sequence[str], limit: int, tokenizer: "PreTrainedTokenizerBase") -> tuple[list[str], list[float]]:
    """Return (E,) texts that begin with the same `limit` tokens, and (E,) how many times as long each whole text is.

    The second number is 1 for every text that is returned whole.
    """
    most = max(LEAST, PER_TOKEN * limit)
    kept, factors = list(texts), [1.0] * len(texts)
    for i, text in enumerate(texts):
        if len(text) > most:
            begin = text[:most]
            ids = tokenizer(begin, add_special_tokens=False, verbose=False)["input_ids"]
            if len(ids) >= 2 * limit:  # what was cut through is far behind the last token that is read
                kept[i], factors[i] = begin, len(text) / most
    return kept, factors
