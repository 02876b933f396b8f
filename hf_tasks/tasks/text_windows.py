"""From texts, or pairs of them, to tokens: whole, cut, or in overlapping windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks.types import Features

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
        """The tokenizer's columns; `example`, `length`, `tokens_cut` as in `Task.encode`."""
        whole = self.tokenizer(texts, pairs, verbose=False)
        names = [name for name in self.tokenizer.model_input_names if name in whole]
        features: Features = {name: [] for name in (*names, "example", "length", "tokens_cut")}
        for i, ids in enumerate(whole["input_ids"]):
            if 0 < len(ids) <= self.limit:
                pieces = iter([{name: whole[name][i] for name in names}])
            else:
                text, pair = (texts[i], pairs[i] if pairs else None) if ids else (self._stand_in(), None)
                pieces = self._cut(text, pair) if self.doc_stride is None else self._windows(text, pair)
            for piece in pieces:
                length = len(piece["input_ids"])
                cut = max(0, len(ids) - length) if self.doc_stride is None else 0
                row = piece | {"example": i, "length": length, "tokens_cut": cut}
                for name, column in features.items():
                    column.append(row[name])
        return features

    def _stand_in(self) -> str:
        """A text of one token, for an empty one where the tokenizer adds no special tokens."""
        return str(self.tokenizer.unk_token or self.tokenizer.pad_token or self.tokenizer.eos_token)

    def _cut(self, text: str, pair: str | None) -> Iterator[dict[str, Any]]:
        yield dict(self.tokenizer(text, pair, truncation=True, max_length=self.limit, verbose=False))

    def _windows(self, text: str, pair: str | None) -> Iterator[dict[str, Any]]:
        """All windows of a text; of a pair, those of the longer text, each with the beginning of the other."""
        assert self.doc_stride is not None
        room = self.limit - self.tokenizer.num_special_tokens_to_add(pair is not None)
        longer = "only_first"
        if pair is not None:
            first, second = map(len, self.tokenizer([text, pair], add_special_tokens=False, verbose=False)["input_ids"])
            if second > first:
                longer, text = "only_second", self._beginning(text, room // 2)
            else:
                pair = self._beginning(pair, room // 2)
            room -= min(first, second, room // 2)
        windows = self.tokenizer(
            text, pair, truncation=longer, max_length=self.limit, stride=min(self.doc_stride, room // 2 - 1),
            return_overflowing_tokens=True, verbose=False,
        )  # fmt: skip
        yield from ({name: windows[name][i] for name in windows} for i in range(len(windows["input_ids"])))

    def _beginning(self, text: str, tokens: int) -> str:
        """The text of the first `tokens` tokens."""
        cut = self.tokenizer(
            text, add_special_tokens=False, truncation=True, max_length=tokens, return_offsets_mapping=True
        )
        return text[: cut["offset_mapping"][-1][1]] if cut["offset_mapping"] else ""
