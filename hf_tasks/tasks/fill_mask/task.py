"""Masked language modelling (Devlin et al. 2019, https://aclanthology.org/N19-1423): continued pretraining on plain
texts, to adapt a checkpoint to a domain (Gururangan et al. 2020, https://aclanthology.org/2020.acl-main.740).

    {"text": "The temperature interior of this crater functions as a cold trap ."}
    {"text": "The crater lies at the south pole of the [MASK] ."}                       for prediction
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from hf_tasks.tasks.base import Task
from hf_tasks.tasks.collate import IGNORE, items_in
from hf_tasks.tasks.fill_mask.features import TextWindows, asked, joined, learned, with_mask
from hf_tasks.tasks.fill_mask.masks import Masking, MaskingCollator, mask_id
from hf_tasks.tasks.fill_mask.predictions import Reduced, filled, scored
from hf_tasks.tasks.types import (
    Batch,
    Collator,
    Columns,
    EncodedSplit,
    Example,
    Examples,
    Features,
    Issues,
    MetricInputs,
    ModelSpec,
    Postprocessor,
    Prediction,
    RawRow,
    RowError,
    Traits,
    is_blank,
    max_input_length,
    text_of,
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

ENDS = "ends"
"""Column of segmented examples: where words end, in characters."""
COMPLETE = "complete"
"""Column of examples: the text is whole, so that its own tokens are what is predicted."""


class FillMask(Task):
    """Predict the masked tokens of a text."""

    name: Literal["fill-mask"]
    masking: Literal["tokens", "words", "segmented"] = "tokens"
    """What is masked: single tokens; whole words with all their tokens, as the tokenizer divides texts into words; or
    the words that blanks separate in segmented Chinese texts, which the model reads without these blanks (Cui et al.
    2021, https://arxiv.org/abs/1906.08101)."""
    mlm_probability: float = Field(0.15, gt=0, lt=1)
    """Share of the tokens that are predicted: 80 % of them become the mask token, 10 % a random token, 10 % stay
    (Devlin et al. 2019); up to 0.4 for large models (Wettig et al. 2023, https://aclanthology.org/2023.eacl-main.217)."""
    packing: bool = False
    """Join texts, with separator tokens between them, and cut them into windows of max_length (FULL-SENTENCES of Liu et
    al. 2019, https://arxiv.org/abs/1907.11692); otherwise each text has its own windows."""

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("text",),
            targets=(COMPLETE,),
            implied=(COMPLETE,),
            aliases={"sentence": "text", "document": "text", "content": "text"},
        )

    @property
    def traits(self) -> Traits:
        return Traits(
            metric_kinds=("tokens",),
            global_attention="none",
            targets="tokens",
            inputs=("text",),
            one_answer=False,
            mean_over_examples=False,
            same_inputs=False,
            kind=f"{self.masking}, {self.mlm_probability}{', packed' if self.packing else ''}",
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForMaskedLM", tokenizer_texts=_texts)

    def parse(self, row: RawRow) -> Example:
        text = text_of(row["text"], "text")
        if COMPLETE not in row:
            return {"text": text}
        if self.masking != "segmented":
            return {"text": text, COMPLETE: True}
        text, ends = joined(text)
        return {"text": text, ENDS: ends, COMPLETE: True}

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        return self.model_copy(update={"metrics": self.metrics or ("perplexity", "masked_accuracy")})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(_errors(examples), notes=_notes(features))

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        mask_id(tokenizer)
        limit = max_input_length(self.max_length, tokenizer)
        if COMPLETE in examples:
            windows = TextWindows.of(examples["text"], tokenizer, limit, packing=self.packing, ends=examples.get(ENDS))
            return learned(windows, tokenizer.all_special_ids, words=self.masking != "tokens", packing=self.packing)
        texts = [with_mask(text, str(tokenizer.mask_token)) for text in examples["text"]]
        return asked(TextWindows.of(texts, tokenizer, limit, packing=False), tokenizer)

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return MaskingCollator.of(tokenizer, self._masking)

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        import torch

        labels = batch["labels"][batch["labels"] != IGNORE]  # (n,)
        total = torch.nn.functional.cross_entropy(outputs["logits"].float(), labels, reduction="sum")
        return total / torch.as_tensor(items_in(batch) if items is None else items).clamp(min=1)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(Reduced(self._masking), _predictions)

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        found = [(-row["log_likelihood"], row["correct"], row["masked"]) for row in predictions]
        return MetricInputs(list(found), [(0.0, masked, masked) for *_, masked in found])

    @property
    def _masking(self) -> Masking:
        return Masking(self.mlm_probability)


def _predictions(items: list[Any], split: EncodedSplit) -> list[Prediction]:
    return (scored if "labels" in split.features.column_names else filled)(items, split)


def _texts(examples: "Dataset") -> Iterator[str]:
    for (text,) in values(examples, "text"):
        yield text


def _errors(examples: "Dataset") -> Iterator[RowError]:
    for row, (text,) in enumerate(values(examples, "text")):
        if is_blank(text):
            yield row, "the text is empty; write it or remove the row"


def _notes(features: "Dataset | None") -> Iterator[str]:
    if features is not None and "labels" in features.column_names:
        tokens = sum(features["length"][:])
        yield f"{tokens:,} tokens in {len(features):,} windows"
