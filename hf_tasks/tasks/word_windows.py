"""From words to sub-words, and from long sentences to windows that are cut between words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_tasks.tasks.collate import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Window(NamedTuple):
    """A stretch of words, and the stretch of it whose tags are decided there; each as first, and the one after it."""

    start: int
    end: int
    first_decided: int
    end_decided: int


def windows(sizes: np.ndarray, room: int, stride: int) -> list[Window]:
    """Windows over words of `sizes` (W,) sub-words, each at most `room`. Neighbours share words of at most `stride`
    sub-words. Every word is decided in one window, where it has most context; earlier windows decide earlier words."""
    ends = np.cumsum(sizes)  # (W,) sub-words up to and with each word
    begins = ends - sizes
    places = list(_places(begins, ends, room, stride))
    owner, most = np.zeros(len(sizes), dtype=np.int64), np.full(len(sizes), -1)
    for i, (start, end) in enumerate(places):
        context = np.minimum(begins[start:end] - begins[start], ends[end - 1] - ends[start:end])
        better = context > most[start:end]
        owner[start:end][better], most[start:end][better] = i, context[better]
    decided = np.searchsorted(owner, np.arange(len(places) + 1)).tolist()
    return [Window(*place, *stretch) for place, stretch in zip(places, pairwise(decided), strict=True)]


def _places(begins: np.ndarray, ends: np.ndarray, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """(first word, word after the last) of each window."""
    start, end = 0, int(np.searchsorted(ends, room, side="right"))
    yield start, end
    while end < len(ends):
        shared = min(stride, room - int(ends[end] - begins[end]))  # so that the next word fits in any case
        start = int(np.searchsorted(begins, ends[end - 1] - shared, side="left"))
        end = int(np.searchsorted(ends, begins[start] + room, side="right"))
        yield start, end


@dataclass(frozen=True)
class Frame:
    """How a tokenizer wraps sub-words: the special tokens before and after them, in each of its columns."""

    before: dict[str, list[int]]
    inside: dict[str, int]
    after: dict[str, list[int]]

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase") -> "Frame":
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = tokenizer("a")
        columns = {name: whole[name] for name in tokenizer.model_input_names if name in whole}
        starts = range(len(whole["input_ids"]) - len(bare) + 1)
        start = next(i for i in starts if whole["input_ids"][i : i + len(bare)] == bare)
        end = start + len(bare)
        return cls(
            {name: list(column[:start]) for name, column in columns.items()},
            {name: column[start] for name, column in columns.items()},
            {name: list(column[end:]) for name, column in columns.items()},
        )

    @property
    def size(self) -> int:
        """Special tokens in a window."""
        return len(self.before["input_ids"]) + len(self.after["input_ids"])

    def around(self, ids: list[int]) -> dict[str, Any]:
        """The tokenizer's columns for a window of sub-words."""
        middle = {name: ids if name == "input_ids" else [value] * len(ids) for name, value in self.inside.items()}
        return {name: [*self.before[name], *middle[name], *self.after[name]] for name in middle}


def sub_words(sentences: Sequence[Sequence[str]], tokenizer: "PreTrainedTokenizerBase") -> dict[str, list[int]]:
    """The sub-words of every different word, at least one: a word that the tokenizer drops, such as a zero-width space,
    becomes its unknown token, so that the model has a place for it."""
    vocabulary = list(dict.fromkeys(word for tokens in sentences for word in tokens))
    encoded = tokenizer(
        vocabulary, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False, verbose=False
    )["input_ids"]
    unknown = tokenizer.pad_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id
    return {word: ids or [unknown] for word, ids in zip(vocabulary, encoded, strict=True)}


def features_of(
    words: Sequence[list[int]], tags: Sequence[int] | None, frame: Frame, limit: int, stride: int
) -> Iterator[dict[str, Any]]:
    """The windows of a sentence, each at most `limit` tokens long, given the sub-words of its words and their tags, if
    known: the tokenizer's columns; `heads`, the place of the first sub-word of each decided word; `labels`, the tag at
    each head; `length`; and `tokens_cut`, the sub-words that a word has too many for any window."""
    room = limit - frame.size
    lengths = np.array([len(ids) for ids in words])
    sizes = np.minimum(lengths, room)
    begins = np.cumsum(sizes) - sizes
    for start, end, first, after in windows(sizes, room, min(stride, room // 2)):
        row = frame.around([i for ids in words[start:end] for i in ids[:room]])
        heads = begins[first:after] - begins[start] + len(frame.before["input_ids"])
        if tags is not None:
            labels = np.full(len(row["input_ids"]), IGNORE)
            labels[heads] = tags[first:after]
            row["labels"] = labels.tolist()
        cut = int((lengths - sizes)[first:after].sum())
        yield row | {"heads": heads.tolist(), "length": len(row["input_ids"]), "tokens_cut": cut}
