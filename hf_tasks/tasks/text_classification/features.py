"""Texts, or pairs of them, to features: whole, cut, or in overlapping windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.beginnings import beginnings
from hf_tasks.tasks.types import Features
from hf_tasks.tasks.windows import Stretches, Template, template, windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TextReader:
    tokenizer: "PreTrainedTokenizerBase"
    limit: int
    """Tokens that are read at once."""
    doc_stride: int | None
    """Tokens by which two windows of a long text overlap, at most half a window; None: long texts are cut."""

    def features(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Features:
        """The tokenizer's columns; `example`, `length`, `tokens_cut` as in `Task.encode`; of a very long text that is
        cut, `tokens_cut` is an estimate."""
        factors = [1.0] * len(texts)
        if self.doc_stride is None:
            texts, factors = beginnings(texts, self.limit, self.tokenizer)
            if pairs:
                pairs, of_pairs = beginnings(pairs, self.limit, self.tokenizer)
                factors = [max(both) for both in zip(factors, of_pairs, strict=True)]
        whole = self.tokenizer(texts, pairs, verbose=False)
        names = [name for name in self.tokenizer.model_input_names if name in whole]
        features: Features = {name: [] for name in (*names, "example", "length", "tokens_cut")}
        for i, ids in enumerate(whole["input_ids"]):
            if 0 < len(ids) <= self.limit:
                pieces = iter([{name: whole[name][i] for name in names}])
            else:
                given = ([texts[i], pairs[i]] if pairs else [texts[i]]) if ids else [self._stand_in()]
                pieces = self._cut(given) if self.doc_stride is None else self._windows(given, ids)
            for piece in pieces:
                length = len(piece["input_ids"])
                cut = max(0, round(len(ids) * factors[i]) - length) if self.doc_stride is None else 0
                row = piece | {"example": i, "length": length, "tokens_cut": cut}
                for name, column in features.items():
                    column.append(row[name])
        return features

    def _stand_in(self) -> str:
        """A text of one token, for an empty one where the tokenizer adds no special tokens."""
        return str(self.tokenizer.unk_token or self.tokenizer.pad_token or self.tokenizer.eos_token)

    def _cut(self, texts: list[str]) -> Iterator[dict[str, Any]]:
        yield dict(self.tokenizer(*texts, truncation=True, max_length=self.limit, verbose=False))

    def _windows(self, texts: list[str], whole: list[int]) -> Iterator[dict[str, Any]]:
        """All windows of a text, whose tokens with the special ones are `whole`; of a pair, those of the longer text,
        each with the beginning of the other."""
        assert self.doc_stride is not None
        ids = [np.array(one, np.int32) for one in self._bare(texts, whole)]
        layout, longer = self._templates[len(ids)], int(np.argmax([len(one) for one in ids]))
        room = self.limit - layout.special_tokens
        room -= sum(min(len(one), room // 2) for i, one in enumerate(ids) if i != longer)
        stride = max(min(self.doc_stride, room // 2 - 1), 0)
        _, begin, held = windows(np.array([len(ids[longer])]), np.array([room]), stride)
        rest = np.full_like(begin, self.limit - layout.special_tokens - room)
        stretches = [Stretches(one, np.zeros_like(begin), rest) for one in ids]
        stretches[longer] = Stretches(ids[longer], begin, held)
        columns = layout.features(*stretches)
        for row in range(len(begin)):
            yield {name: columns[name][row].tolist() for name in self.tokenizer.model_input_names if name in columns}

    def _bare(self, texts: list[str], whole: list[int]) -> list[list[int]]:
        """The tokens of each text without special ones."""
        if whole and len(texts) == 1:
            before, after = map(len, self._templates[1].ids)
            return [whole[before : len(whole) - after]]
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    @cached_property
    def _templates(self) -> dict[int, Template]:
        return {sequences: template(self.tokenizer, sequences) for sequences in (1, 2)}
