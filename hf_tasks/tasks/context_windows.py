"""Windows: a question with one stretch of a context after the other, as far as a model reads at once.

The windows are those of a fast tokenizer's `only_second` truncation with `stride`, but each distinct question and
context of a batch is tokenized once, and all windows of a batch are cut and labelled at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.types import Features

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

NO_ANSWER = 0
"""The token that stands for no answer: the first one, [CLS]."""


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

    def context_start(self, first: np.ndarray) -> np.ndarray:
        """Where second sequences begin after first ones of so many tokens (N,)."""
        return len(self.ids[0]) + first + len(self.ids[1])

    def input_ids(self, first: "Stretches", second: "Stretches") -> list[np.ndarray]:
        before, between, after = (Stretches.same(ids, len(first.size)) for ids in self.ids)
        return joined(before, first, between, second, after)

    def token_type_ids(self, first: "Stretches", second: "Stretches") -> list[np.ndarray]:
        before, between, after = (Stretches.same(types, len(first.size)) for types in self.types)
        own = [
            Stretches(np.full(split.size.max(), kind, np.int8), np.zeros_like(split.size), split.size)
            for split, kind in zip((first, second), self.sequence_types, strict=True)
        ]
        return joined(before, own[0], between, own[1], after)


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


def joined(*splits: Stretches) -> list[np.ndarray]:
    """N rows: the first stretches of all parts after each other, the second ones, ..."""
    size = np.sum([split.size for split in splits], axis=0)
    begin = np.cumsum(size) - size
    row = np.empty(size.sum(), splits[0].values.dtype)
    at = begin.copy()
    for split in splits:
        row[_places(at, split.size)] = split.values[_places(split.begin, split.size)]
        at += split.size
    return [row[a:b] for a, b in pairwise([*begin.tolist(), len(row)])]


def _places(begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """begin, ..., begin + size - 1 of each stretch, after each other."""
    places: np.ndarray = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())
    return places


def windows(length: np.ndarray, size: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of at most `size` tokens of contexts of `length` tokens, two neighbours having `stride` in common; one
    where the context fits. `length`, `size`: (E,). Returns the context, first token and tokens of each, (N,)."""
    step = size - stride
    count = 1 + np.maximum(0, -((size - length) // step))  # less one: rounded up
    context = np.repeat(np.arange(len(length)), count)
    begin = _places(np.zeros_like(count), count) * step[context]
    return context, begin, np.minimum(size[context], length[context] - begin)


def features(question: Stretches, context: Stretches, offsets: np.ndarray, template: PairTemplate) -> Features:
    """N features: the tokenizer's columns for questions and what is read of the contexts; `length`; where the context
    is, `context_start` to `context_end`; and the `offsets` of its tokens, as bytes, which Arrow reads at no cost."""
    begin = template.context_start(question.size)
    length = question.size + context.size + template.special_tokens
    ones = np.ones(length.max(), np.int8)
    stretches = zip(context.begin.tolist(), context.end.tolist(), strict=True)
    return {
        "input_ids": template.input_ids(question, context),
        "token_type_ids": template.token_type_ids(question, context),
        "attention_mask": [ones[:n] for n in length.tolist()],
        "length": length.tolist(),
        "context_start": begin.tolist(),
        "context_end": (begin + context.size).tolist(),
        "offsets": [offsets[a:b].tobytes() for a, b in stretches],
    }


def positions(tokens: Tokens, text: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """(E, 2) the first and last token, in `tokens`, of the characters [start, end) (E, 2) of texts (E,)."""
    longest = 1 + max(tokens.offsets.max(initial=0), characters.max(initial=0))
    of_token = np.repeat(np.arange(len(tokens.begin) - 1), np.diff(tokens.begin)) * longest
    wanted = characters + text[:, None] * longest
    first = (tokens.offsets[:, 0] + of_token).searchsorted(wanted[:, 0], side="right") - 1
    return np.column_stack([first, (tokens.offsets[:, 1] + of_token).searchsorted(wanted[:, 1], side="left")])


def answer_characters(answers: dict[str, list[Any]]) -> tuple[int, int]:
    """The characters [start, end) of the first answer without the blanks around it; (0, 0): there is none."""
    for text, start in zip(answers["text"][:1], answers["answer_start"], strict=False):
        begin = start + len(text) - len(text.lstrip())
        return begin, begin + len(text.strip())
    return 0, 0


def labels(tokens: Tokens, text: np.ndarray, answer: np.ndarray, example: np.ndarray, context: Stretches) -> np.ndarray:
    """(N, 2) the first and last token of its answer in each window's context, -1 where it does not hold all of it.
    `text`, `answer`: the text (E,) of each example and the characters [start, end) of its answer (E, 2); `example`,
    `context`: the example of each window (N,), and what it holds of `tokens`."""
    wanted, characters = positions(tokens, text, answer)[example], answer[example]
    found = np.full((len(example), 2), -1)
    held = np.flatnonzero((context.size > 0) & (characters[:, 0] < characters[:, 1]))
    begin, last = context.begin[held], context.end[held] - 1
    starts, ends = tokens.offsets[begin, 0], tokens.offsets[last, 1]
    whole = (starts <= characters[held, 0]) & (characters[held, 1] <= ends)
    held, begin, last = held[whole], begin[whole], last[whole]
    found[held, 0] = np.minimum(wanted[held, 0], last) - begin
    found[held, 1] = np.maximum(wanted[held, 1], begin) - begin
    return found
