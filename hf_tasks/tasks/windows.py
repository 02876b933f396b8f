"""Windows: what a model reads at once of an input that is longer, one engine for texts, words and contexts.

A window is a stretch of the tokens of one text, or of each of two, inside the special tokens of the tokenizer. Texts
are tokenized once and cut as numbers, all windows of a batch together; the windows are those of a fast tokenizer's
truncation with `stride`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hf_tasks.tasks.types import Features

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase


# -- tokens of texts


@dataclass(frozen=True)
class Tokens:
    """D texts without special tokens, one after the other."""

    ids: np.ndarray
    """(T,)"""
    offsets: np.ndarray
    """(T, 2) characters [start, end) of each token in its text; blanks at the start of a token are left out."""
    begin: np.ndarray
    """(D + 1,) where the tokens of each text begin, and T."""

    def size(self, text: np.ndarray) -> np.ndarray:
        """The tokens of texts (n,)."""
        size: np.ndarray = np.diff(self.begin)[text]
        return size


def tokenized(
    texts: Sequence[str], tokenizer: "PreTrainedTokenizerBase", *, offsets: bool
) -> tuple[Tokens, np.ndarray]:
    """The distinct texts, and which of them each text is (n,). Without `offsets` it is faster, and they are zeros."""
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    backend = tokenizer.backend_tokenizer  # the tokenizer itself makes many lists besides
    backend.no_truncation()
    backend.no_padding()
    encodings = (backend.encode_batch if offsets else backend.encode_batch_fast)(
        list(distinct), add_special_tokens=False
    )
    begin = np.cumsum([0, *map(len, encodings)])
    ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32, begin[-1])
    places = _offsets(list(distinct), encodings, begin) if offsets else np.zeros((len(ids), 2), np.int32)
    return Tokens(ids, places, begin), np.array([distinct[text] for text in texts], np.int64)


_BLANK = np.array([chr(code).isspace() for code in range(0x3002)])
"""Whether each code point is a blank; none is from the last of these on."""


def _offsets(texts: list[str], encodings: list["Encoding"], begin: np.ndarray) -> np.ndarray:
    pairs = chain.from_iterable(encoding.offsets for encoding in encodings)
    offsets = np.fromiter(chain.from_iterable(pairs), np.int32, 2 * begin[-1]).reshape(-1, 2)
    characters = np.frombuffer("\0".join([*texts, ""]).encode("utf-32-le"), np.uint32)
    place = np.arange(len(characters), dtype=np.int32)
    seen = np.where(_BLANK[np.minimum(characters, len(_BLANK) - 1)], len(place), place)
    solid = np.minimum.accumulate(seen[::-1])[::-1]  # the next place that is not blank
    origin = np.repeat(np.cumsum([0, *(len(text) + 1 for text in texts[:-1])], dtype=np.int32), np.diff(begin))
    start = solid[offsets[:, 0] + origin] - origin  # SentencePiece's tokens begin with the blank before a word
    return np.column_stack([start, np.maximum(start, offsets[:, 1])])


# -- special tokens around them


@dataclass(frozen=True)
class Template:
    """What a tokenizer puts before, between and after one sequence or two."""

    ids: tuple[np.ndarray, ...]
    """Before the first sequence, ..., after the last."""
    types: tuple[np.ndarray, ...]
    """Token types of those special tokens."""
    sequence_types: tuple[int, ...]
    """Token types of each sequence."""

    @property
    def special_tokens(self) -> int:
        return sum(map(len, self.ids))

    def begin(self, *before: np.ndarray) -> np.ndarray | int:
        """Return (N,) the starts of the next sequences after sequences of the given numbers of tokens (N,)."""
        return sum(map(len, self.ids[: len(before) + 1])) + sum(before)

    def features(self, *sequences: "Stretches") -> Features:
        """The tokenizer's columns and `length` for N windows."""
        length = np.asarray(self.special_tokens + sum(sequence.size for sequence in sequences))  # (N,)
        ones = np.ones(length.max(initial=0), np.int8)
        kinds = [
            Stretches(np.full(one.size.max(initial=0), kind, np.int8), np.zeros_like(one.size), one.size)
            for one, kind in zip(sequences, self.sequence_types, strict=True)
        ]
        return {
            "input_ids": self.around(self.ids, sequences),
            "token_type_ids": self.around(self.types, kinds),
            "attention_mask": [ones[:n] for n in length.tolist()],
            "length": length.tolist(),
        }

    def around(self, special: tuple[np.ndarray, ...], sequences: Sequence["Stretches"]) -> list[np.ndarray]:
        """The sequences of each window between values of the special tokens."""
        first, *rest = (Stretches.same(values, len(sequences[0].size)) for values in special)
        return joined(first, *chain.from_iterable(zip(sequences, rest, strict=True)))


def template(tokenizer: "PreTrainedTokenizerBase", sequences: int) -> Template:
    """Found by encoding one or two short texts."""
    texts = ["a", "b"][:sequences]
    encoded = tokenizer(*texts, return_token_type_ids=True, verbose=False)
    ids, types = encoded["input_ids"], np.array(encoded["token_type_ids"], np.int8)
    bounds = [0]
    for text in texts:
        bare = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        start = next(i for i in range(bounds[-1], len(ids)) if ids[i : i + len(bare)] == bare)
        bounds += [start, start + len(bare)]
    bounds.append(len(ids))
    outside = [slice(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=True)]
    return Template(
        tuple(np.array(ids[where], np.int32) for where in outside),
        tuple(types[where] for where in outside),
        tuple(int(types[start]) for start in bounds[1:-1:2]),
    )


# -- stretches


@dataclass(frozen=True)
class Stretches:
    """N stretches of one row of values."""

    values: np.ndarray
    """(T,)"""
    begin: np.ndarray
    """(N,)"""
    size: np.ndarray
    """(N,)"""

    @classmethod
    def same(cls, values: np.ndarray, n: int) -> "Stretches":
        """All the values, n times."""
        return cls(values, np.zeros(n, np.int64), np.full(n, len(values)))

    @property
    def end(self) -> np.ndarray:
        end: np.ndarray = self.begin + self.size
        return end


def joined(*pieces: Stretches) -> list[np.ndarray]:
    """N rows: the first stretches of all pieces after each other, the second ones, ..."""
    size = np.sum([piece.size for piece in pieces], axis=0)
    begin = np.cumsum(size) - size
    row = np.empty(size.sum(), pieces[0].values.dtype)
    at = begin.copy()
    for piece in pieces:
        row[places(at, piece.size)] = piece.values[places(piece.begin, piece.size)]
        at += piece.size
    return [row[a:b] for a, b in pairwise([*begin.tolist(), len(row)])]


def places(begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """begin, ..., begin + size - 1 of each stretch, after each other."""
    found: np.ndarray = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())
    return found


# -- where windows begin and end


def windows(length: np.ndarray, size: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows of at most `size` tokens over texts of `length` tokens, two neighbours having `stride` in common; one
    where the text fits. `length`, `size`: (E,). Returns the text, first token and tokens of each, (N,)."""
    step = size - stride
    count = 1 + np.maximum(0, -((size - length) // step))  # less one: rounded up
    text = np.repeat(np.arange(len(length)), count)
    begin = places(np.zeros_like(count), count) * step[text]
    return text, begin, np.minimum(size[text], length[text] - begin)


class WordWindow(NamedTuple):
    """A stretch of words, and the stretch of it whose tags are decided there; each as first, and the one after it."""

    start: int
    end: int
    first_decided: int
    end_decided: int


def word_windows(sizes: np.ndarray, room: int, stride: int) -> list[WordWindow]:
    """Windows over words of `sizes` (W,) sub-words, each at most `room`, which are never cut inside a word. Neighbours
    share words of at most `stride` sub-words. Every word is decided in one window, where it has most context; earlier
    windows decide earlier words."""
    ends = np.cumsum(sizes)  # (W,) sub-words up to and with each word
    if ends[-1] <= room:
        return [WordWindow(0, len(sizes), 0, len(sizes))]
    begins = ends - sizes
    bounds = list(_bounds(begins, ends, room, stride))
    owner, most = np.zeros(len(sizes), dtype=np.int64), np.full(len(sizes), -1)
    for i, (start, end) in enumerate(bounds):
        context = np.minimum(begins[start:end] - begins[start], ends[end - 1] - ends[start:end])
        better = context > most[start:end]
        owner[start:end][better], most[start:end][better] = i, context[better]
    decided = np.searchsorted(owner, np.arange(len(bounds) + 1)).tolist()
    return [WordWindow(*bound, *stretch) for bound, stretch in zip(bounds, pairwise(decided), strict=True)]


def _bounds(begins: np.ndarray, ends: np.ndarray, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """(first word, word after the last) of each window."""
    start, end = 0, int(np.searchsorted(ends, room, side="right"))
    yield start, end
    while end < len(ends):
        shared = min(stride, room - int(ends[end] - begins[end]))  # so that the next word fits in any case
        start = int(np.searchsorted(begins, ends[end - 1] - shared, side="left"))
        end = int(np.searchsorted(ends, begins[start] + room, side="right"))
        yield start, end
