"""Words to features: sub-words in windows that are cut between words, and where each word's tag is read."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.tasks.collate import IGNORE
from hf_tasks.tasks.types import Features
from hf_tasks.tasks.windows import Stretches, template, word_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sub_words(sentences: Sequence[Sequence[str]], tokenizer: "PreTrainedTokenizerBase") -> dict[str, list[int]]:
    """The sub-words of every different word, at least one: a word that the tokenizer drops, such as a zero-width space,
    becomes its unknown token, so that the model has a place for it."""
    vocabulary = list(dict.fromkeys(word for tokens in sentences for word in tokens))
    encoded = tokenizer(
        vocabulary, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False, verbose=False
    )["input_ids"]
    unknown = tokenizer.pad_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id
    return {word: ids or [unknown] for word, ids in zip(vocabulary, encoded, strict=True)}


def encode(
    sentences: Sequence[Sequence[str]],
    tags: Sequence[Sequence[int]] | None,
    tokenizer: "PreTrainedTokenizerBase",
    limit: int,
    stride: int,
) -> Features:
    """The windows of sentences, none without words, each at most `limit` tokens long: the tokenizer's columns; `heads`,
    the place of the first sub-word of each decided word; with `tags`, `labels`, the tag at each head; `example`;
    `length`; and `tokens_cut`, the sub-words that a word has too many for any window."""
    layout, ids_of = template(tokenizer, 1), sub_words(sentences, tokenizer)
    room = limit - layout.special_tokens
    words = [ids_of[word] for sentence in sentences for word in sentence]
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    sizes = np.minimum(lengths, room)  # (W,)
    ids = np.fromiter(chain.from_iterable(word[:room] for word in words), np.int32, sizes.sum())
    bounds = np.cumsum([0, *map(len, sentences)]).tolist()
    found = [
        (example, begin + np.array(window))
        for example, (begin, end) in enumerate(pairwise(bounds))
        for window in word_windows(sizes[begin:end], room, min(stride, room // 2))
    ]
    example = [number for number, _ in found]
    start, end, first, after = np.array([window for _, window in found]).T  # (N,) words
    token = np.append(np.cumsum(sizes) - sizes, len(ids))  # (W + 1,) the first sub-word of each word
    features = layout.features(Stretches(ids, token[start], token[end] - token[start]))
    window = np.repeat(np.arange(len(found)), after - first)  # (W,) the one that decides each word
    heads = token[:-1] - token[start][window] + layout.begin()
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        features[name] = [row.tolist() for row in features[name]]
    if tags is not None:
        row = np.cumsum(features["length"]) - features["length"]
        labels = np.full(sum(features["length"]), IGNORE)
        labels[row[window] + heads] = np.fromiter(chain.from_iterable(tags), np.int64, len(words))
        features["labels"] = _rows(labels, features["length"])
    cut = np.append(0, np.cumsum(lengths - sizes))
    tokens_cut = (cut[after] - cut[first]).tolist()
    return features | {"heads": _rows(heads, after - first), "example": example, "tokens_cut": tokens_cut}


def _rows(values: np.ndarray, sizes: Sequence[int] | np.ndarray) -> list[list[int]]:
    """Split values into consecutive rows of the given lengths."""
    flat, ends = values.tolist(), np.cumsum(sizes).tolist()
    return [flat[begin:end] for begin, end in pairwise([0, *ends])]
