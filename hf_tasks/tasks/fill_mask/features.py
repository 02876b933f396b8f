"""Texts to the windows of a masked language model.

complete texts       windows of max_length tokens, to be masked by the collator
texts to predict     with mask tokens: each window that has some; without: for each token a window in which it is masked
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.collate import IGNORE
from hf_tasks.tasks.fill_mask.masks import mask_id
from hf_tasks.tasks.types import Features
from hf_tasks.tasks.windows import Stretches, Template, Tokens, template, windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNKNOWN = -1
"""In `originals`: the token is not known, as the text itself has a mask there."""
MASKS = ("[MASK]", "<mask>")
"""Ways to write a mask, beside the tokenizer's own."""


@dataclass(frozen=True)
class TextWindows:
    """N windows over the tokens of E texts."""

    tokens: Tokens
    words: np.ndarray
    """(T,) the word of each token; tokens of different texts have different ones."""
    text: np.ndarray
    """(N,) the text of each window, or the first one."""
    stretches: Stretches
    """(N,) their tokens."""
    template: Template

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
        *,
        packing: bool,
        ends: Sequence[Sequence[int]] | None = None,
    ) -> "TextWindows":
        """Windows of at most `limit` tokens: of each text, or with `packing` of all texts joined by separators.

        `ends`: where the words of each text end, in characters; by default words are those of the tokenizer.
        """
        around = template(tokenizer, 1)
        separator = around.ids[-1][:1] if packing else around.ids[-1][:0]
        tokens, words = _tokenized(texts, tokenizer, separator, ends)
        room = np.array([limit - around.special_tokens])
        if packing:
            _, begin, size = windows(np.array([len(tokens.ids) - len(separator)]), room, 0)
            text = np.searchsorted(tokens.begin, begin, side="right") - 1
        else:
            text, start, size = windows(np.diff(tokens.begin), np.repeat(room, len(texts)), 0)
            begin = tokens.begin[text] + start
        return cls(tokens, words, text, Stretches(tokens.ids, begin, size), around)

    def features(self) -> Features:
        """The model's columns, `length`, `example`, and `window`, its number within the example."""
        first = np.searchsorted(self.text, self.text)
        return self.template.features(self.stretches) | {
            "example": self.text.tolist(),
            "window": (np.arange(len(self.text)) - first).tolist(),
            "tokens_cut": [0] * len(self.text),
        }

    def column(self, values: np.ndarray, special: int) -> list[np.ndarray]:
        """A value (T,) of each token as a column of the features; `special` at the tokens of the template."""
        around = tuple(np.full(len(ids), special, values.dtype) for ids in self.template.ids)
        return self.template.around(around, [Stretches(values, self.stretches.begin, self.stretches.size)])


def learned(windows: TextWindows, special_ids: Sequence[int], *, words: bool, packing: bool) -> Features:
    """Features of complete texts, with `labels`, the tokens that may be masked. With `words` the column `words`; with
    `packing` the column `text`, for each token how many texts its own is after that of the first token."""
    ids = windows.tokens.ids
    features = windows.features()
    features["labels"] = windows.column(np.where(np.isin(ids, special_ids), IGNORE, ids).astype(np.int32), IGNORE)
    if words:
        features["words"] = windows.column(windows.words, -1)
    if packing:
        owner = np.repeat(np.arange(len(windows.tokens.begin) - 1), np.diff(windows.tokens.begin))
        texts = windows.column(owner, -1)
        features["text"] = [np.maximum(row - first, 0) for row, first in zip(texts, windows.text, strict=True)]
    return features


def asked(windows: TextWindows, tokenizer: "PreTrainedTokenizerBase") -> Features:
    """Features of texts to predict: `asked`, positions; `originals`, the tokens there or UNKNOWN."""
    mask, special = mask_id(tokenizer), tokenizer.all_special_ids
    ids, begin = windows.tokens.ids, windows.tokens.begin
    has_mask = [bool((ids[start:end] == mask).any()) for start, end in zip(begin[:-1], begin[1:], strict=True)]
    whole, rows = windows.features(), list[dict[str, Any]]()
    words = windows.column(windows.words, -1)
    for i, text in enumerate(windows.text.tolist()):
        row, tokens = {name: column[i] for name, column in whole.items()}, np.array(whole["input_ids"][i])
        if has_mask[text]:
            places = np.flatnonzero(tokens == mask)
            rows.append(row | {"asked": places, "originals": np.full(len(places), UNKNOWN)})
        else:
            rows += [row | one for one in _one_by_one(tokens, words[i], mask, special)] or [row | _nothing()]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _nothing() -> dict[str, Any]:
    """A window without a token to predict."""
    return {"asked": np.zeros(0, np.int64), "originals": np.zeros(0, np.int64)}


def _one_by_one(tokens: np.ndarray, words: np.ndarray, mask: int, special: Sequence[int]) -> Iterator[dict[str, Any]]:
    """For each token the window in which it and the rest of its word are masked (Kauf and Ivanova 2023)."""
    for place in np.flatnonzero(~np.isin(tokens, special)):
        ids = tokens.copy()
        ids[place:][words[place:] == words[place]] = mask
        yield {"input_ids": ids, "asked": np.array([place]), "originals": tokens[[place]]}


def with_mask(text: str, mask: str) -> str:
    """A text with the tokenizer's own mask token, however the mask was written."""
    for written in MASKS:
        text = text.replace(written, mask)
    return text


def _tokenized(
    texts: Sequence[str],
    tokenizer: "PreTrainedTokenizerBase",
    separator: np.ndarray,
    ends: Sequence[Sequence[int]] | None,
) -> tuple[Tokens, np.ndarray]:
    """The tokens of the texts, each followed by `separator`, and the word of each token (T,)."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    encodings = backend.encode_batch(list(texts), add_special_tokens=False)
    pieces, words, before = list[Any](), list[np.ndarray](), 0
    for text, encoding in enumerate(encodings):
        pieces.append([*encoding.ids, *separator])
        places = [start for start, _ in encoding.offsets] if ends else []
        numbers = np.searchsorted(ends[text], places, side="right").tolist() if ends else encoding.word_ids
        words.append(_words(numbers, len(separator)) + before)
        before += len(pieces[-1])
    begin = np.cumsum([0, *map(len, pieces)])
    ids = np.fromiter(chain.from_iterable(pieces), np.int32, begin[-1])
    joined = np.concatenate(words) if words else np.zeros(0, np.int64)
    return Tokens(ids, np.zeros((len(ids), 2), np.int32), begin), joined


def joined(segmented: str) -> tuple[str, list[int]]:
    """The text of words that are separated by blanks, and where each word ends in it, in characters. Blanks are kept
    between words of ASCII characters alone."""
    text, ends = "", list[int]()
    for word in segmented.split():
        text += f" {word}" if text[-1:].isascii() and text and word[:1].isascii() else word
        ends.append(len(text))
    return text, ends


def _words(ids: Sequence[int | None], separators: int) -> np.ndarray:
    """Numbers of the words of a text's tokens, below the number of tokens; a token outside of words is one itself."""
    known: dict[Any, int] = {}
    numbers = [known.setdefault(("token", i) if word is None else word, len(known)) for i, word in enumerate(ids)]
    return np.array([*numbers, *(len(known) + i for i in range(separators))], np.int64)
