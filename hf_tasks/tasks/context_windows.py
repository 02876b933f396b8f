"""Windows: a question with one stretch of a context after the other, as far as a model reads at once.

The windows are those of a fast tokenizer's `only_second` truncation with `stride`, but each distinct question and
context of a batch is tokenized once, and windows are slices of it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.base import Row

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


NO_ANSWER = 0
"""The token that stands for no answer: the first one, [CLS]."""


@dataclass(frozen=True)
class Tokens:
    """A text without special tokens."""

    ids: np.ndarray
    """(T,)"""
    offsets: np.ndarray
    """(T, 2) characters [start, end) of each token; blanks at the start of a token are left out."""

    def positions(self, answer: tuple[int, int]) -> tuple[int, int] | None:
        """The first and last token of the characters [start, end), or None where the tokens do not cover them."""
        start, end = answer
        if not len(self.ids) or start < self.offsets[0, 0] or end > self.offsets[-1, 1]:
            return None
        first = self.offsets[:, 0].searchsorted(start, side="right") - 1
        return int(first), int(self.offsets[:, 1].searchsorted(end, side="left"))

    def __getitem__(self, part: slice) -> "Tokens":
        return Tokens(self.ids[part], self.offsets[part])


def token_ids(texts: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> dict[str, np.ndarray]:
    """The ids of each distinct text, without special tokens, each (T,)."""
    distinct = list(dict.fromkeys(texts))
    rows = tokenizer(distinct, **_BARE)["input_ids"]
    return {text: np.array(ids, dtype=np.int32) for text, ids in zip(distinct, rows, strict=True)}


def tokenized(texts: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> dict[str, Tokens]:
    """The tokens of each distinct text."""
    distinct = list(dict.fromkeys(texts))
    encoded = tokenizer(distinct, return_offsets_mapping=True, **_BARE)
    rows = zip(distinct, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return {text: Tokens(np.array(ids, dtype=np.int32), _offsets(text, pairs)) for text, ids, pairs in rows}


_BLANKS = re.compile(r"\s+")
_BARE = {
    "add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False, "verbose": False,
}  # fmt: skip


def _offsets(text: str, pairs: list[tuple[int, int]]) -> np.ndarray:
    offsets = np.fromiter(chain.from_iterable(pairs), np.int32, 2 * len(pairs)).reshape(-1, 2)
    for i, (start, end) in enumerate(pairs):
        if blanks := _BLANKS.match(text, start):  # SentencePiece's tokens begin with the blank before a word
            offsets[i] = blanks.end(), max(end, blanks.end())
    return offsets


@dataclass(frozen=True)
class PairTemplate:
    """What a tokenizer puts before, between and after the two sequences of a pair."""

    ids: tuple[np.ndarray, np.ndarray, np.ndarray]
    types: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Token types of those special tokens."""
    sequence_types: tuple[int, int]
    """Token types of the first and the second sequence."""

    @property
    def special_tokens(self) -> int:
        return sum(map(len, self.ids))

    def context_start(self, first: int) -> int:
        """Where the second sequence begins after a first one of so many tokens."""
        return len(self.ids[0]) + first + len(self.ids[1])

    def input_ids(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        before, between, after = self.ids
        return np.concatenate([before, first, between, second, after])

    def token_type_ids(self, first: int, second: int) -> np.ndarray:
        """The types for two sequences of so many tokens."""
        before, between, after = self.types
        own = [np.full(n, kind, np.int8) for n, kind in zip((first, second), self.sequence_types, strict=True)]
        return np.concatenate([before, own[0], between, own[1], after])


def pair_template(tokenizer: "PreTrainedTokenizerBase") -> PairTemplate:
    """Found by encoding one pair, of special tokens, which every tokenizer knows."""
    mark = tokenizer.all_special_tokens[0]
    encoded = tokenizer(mark, mark, return_token_type_ids=True, verbose=False)
    kinds = np.array([-1 if kind is None else kind for kind in encoded.sequence_ids(0)])
    first, second = np.flatnonzero(kinds == 0), np.flatnonzero(kinds == 1)
    before, between, after = slice(first[0]), slice(first[-1] + 1, second[0]), slice(second[-1] + 1, None)
    ids, types = np.array(encoded["input_ids"], np.int32), np.array(encoded["token_type_ids"], np.int8)
    return PairTemplate(
        (ids[before], ids[between], ids[after]),
        (types[before], types[between], types[after]),
        (int(types[first[0]]), int(types[second[0]])),
    )


def windows(context: Tokens, size: int, stride: int) -> Iterator[Tokens]:
    """Stretches of `size` tokens, two neighbours having `stride` in common; one where the context fits."""
    start = 0
    while start + size < len(context.ids):
        yield context[start : start + size]
        start += size - stride
    yield context[start:]


def feature(question: np.ndarray, context: Tokens, template: PairTemplate) -> Row:
    """One feature: the tokenizer's columns for a question and what is read of the context; `length`; where the context
    is, `context_start` to `context_end`; and the `offsets` of its tokens, as bytes, which Arrow reads at no cost."""
    ids = template.input_ids(question, context.ids)
    begin = template.context_start(len(question))
    return {
        "input_ids": ids,
        "token_type_ids": template.token_type_ids(len(question), len(context.ids)),
        "attention_mask": np.ones(len(ids), np.int8),
        "length": len(ids),
        "context_start": begin,
        "context_end": begin + len(context.ids),
        "offsets": context.offsets.tobytes(),
    }


def label(rows: list[Row], reads: list[Tokens], answers: dict[str, list[Any]]) -> None:
    """Add `labels`, the first and last token of the first answer in each window of an example; and `answer_lost`, 1
    where no window has all of the answer, in the first window only."""
    places: list[tuple[int, int] | None] = [None] * len(rows)
    for text, start in zip(answers["text"][:1], answers["answer_start"], strict=False):
        begin = start + len(text) - len(text.lstrip())
        places = [read.positions((begin, begin + len(text.strip()))) for read in reads]
    for row, place in zip(rows, places, strict=True):
        row["labels"] = [row["context_start"] + token for token in place] if place else [NO_ANSWER, NO_ANSWER]
        row["answer_lost"] = 0
    rows[0]["answer_lost"] = int(bool(answers["text"]) and not any(places))


def characters(features: "Dataset", window: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(M, 2) the characters from the first to the last token, each (M,), in its window (M,), which ascends."""
    places = np.empty((len(window), 2), np.int32)
    begin = 0
    for batch in features.select_columns(["offsets", "context_start", "context_end"]).iter(batch_size=1000):
        context_start, context_end = np.array(batch["context_start"]), np.array(batch["context_end"])
        sizes = context_end - context_start
        origin = np.cumsum(sizes) - sizes - context_start  # (b,) where token 0 of each window would be in `offsets`
        offsets = np.frombuffer(b"".join(batch["offsets"]), np.int32).reshape(-1, 2)
        here = slice(*window.searchsorted([begin, begin + len(sizes)]))
        at = origin[window[here] - begin]
        places[here, 0], places[here, 1] = offsets[first[here] + at, 0], offsets[last[here] + at, 1]
        begin += len(sizes)
    return places
