"""Text in, text out: summarization, translation, and any other rewriting of a text, such as correction.

{"source": "A dog runs.", "target": "Ein Hund rennt."}
{"source": "He go home.", "target": ["He goes home.", "He went home."]}
{"translation": {"en": "A dog runs.", "de": "Ein Hund rennt."}}

A model learns the first reference of each example; predictions are scored against all of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.tasks.base import Task
from hf_tasks.tasks.beginnings import beginnings
from hf_tasks.tasks.collate import IGNORE, SequenceCollator, items_in
from hf_tasks.tasks.leads import leads
from hf_tasks.tasks.types import (
    Batch,
    Collator,
    Columns,
    EncodedSplit,
    Example,
    Examples,
    Features,
    Issue,
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

MIXTURE = "mixture"
"""The column of examples and features with the name of their dataset, where several are mixed."""
DEFAULT_METRICS = {
    "summarization": ("rougeL",),
    "translation": ("bleu", "chrf"),
    "text2text-generation": ("rougeL", "bleu"),
}


class TextToText(Task):
    """Generate a text from a text: summarization, translation or any rewriting."""

    name: Literal["summarization", "translation", "text2text-generation"]
    prefix: str = ""
    """Text that is put before every source: T5 was pretrained with "summarize: " or "translate English to German: "."""
    source_language: str | None = None
    """The source's key in a column `translation`, and its code for tokenizers of several languages (mBART, NLLB)."""
    target_language: str | None = None
    """The target's."""
    max_target_length: int = Field(128, ge=2)
    """The longest target in tokens; longer ones are cut, so that the model does not learn to end there."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the probability that is spread over the whole vocabulary in training (Szegedy et al. 2016, section 7,
    https://arxiv.org/abs/1512.00567; 0.1 in Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

    metrics_of: dict[str, tuple[str, ...]] = {}
    """Metrics of single datasets of data.mixture by the dataset's name; `metrics` for the others."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if bool(self.source_language) != bool(self.target_language):
            absent = "target_language" if self.source_language else "source_language"
            yield (absent,), "both languages are needed; name both, or none"

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("source",),
            optional=("translation",),
            targets=("target",),
            aliases={
                "document": "source", "article": "source", "dialogue": "source", "sentence": "source",
                "text": "source", "references": "target", "corrections": "target", "summary": "target",
                "highlights": "target",
            },
            lists=("target",),
            instead={"source": ("translation",), "target": ("translation",)},
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            metric_kinds=("texts", "labels"),
            examples="sources",
            inputs=("source",),
            one_answer=False,
            max_target_length=self.max_target_length,
            beams=self.name != "text2text-generation",
            mean_over_examples=False,
            baselines=leads("source") if self.name == "summarization" else {},
        )

    @property
    def model_spec(self) -> ModelSpec:
        languages = (
            (self.source_language, self.target_language) if self.source_language and self.target_language else None
        )
        return ModelSpec("AutoModelForSeq2SeqLM", languages=languages, tokenizer_texts=self._texts)

    def _texts(self, examples: "Dataset") -> Iterator[str]:
        for batch in examples.iter(batch_size=1000):
            yield from self._prompts(batch)
            yield from (text for several in batch.get("target", []) for text in several)

    def parse(self, row: RawRow) -> Example:
        if row.get("translation") is not None:
            row = self._of_languages(row["translation"]) | row
        example: Example = {"source": text_of(row["source"], "source")}
        if row.get("target") == ():  # a translation to predict has none; of others it is an error (`issues`)
            example["target"] = []
        elif "target" in row:
            target = row["target"]
            several = target if isinstance(target, list | tuple) else [target]
            if not len(several):
                raise ValueError("the list of targets is empty; write one or more")
            example["target"] = [text_of(text, "target") for text in several]
        return example

    def _of_languages(self, texts: Any) -> RawRow:
        """Source and target in a dict of languages; without the target's language, the target is ()."""
        if not isinstance(texts, dict):
            raise ValueError('the translation is not a dict of languages; write for example {"en": "...", "de": "..."}')
        if not self.source_language or not self.target_language:
            known = ", ".join(texts)
            raise ValueError(f"a translation of {known}; set task.source_language and task.target_language")
        if self.source_language not in texts:
            found = f'the translation has no "{self.source_language}" (it has {", ".join(texts)})'
            raise ValueError(f"{found}; set task.source_language and task.target_language")
        return {"source": texts[self.source_language], "target": texts.get(self.target_language) or ()}

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        return self.model_copy(update={"metrics": self.metrics or DEFAULT_METRICS[self.name]})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(self._errors(examples), self._warnings(examples), self._notes(examples))

    def _errors(self, examples: "Dataset") -> Iterator[RowError]:
        for row, (source, targets) in enumerate(values(examples, "source", "target")):
            if is_blank(source):
                yield row, "the source is empty; write it or remove the row"
            if any(map(is_blank, targets)):
                yield row, "a target is empty; write it or remove the row"
            if not targets:
                yield row, f'the translation has no "{self.target_language}"; write it, or set task.target_language'

    def _warnings(self, examples: "Dataset") -> Iterator[Issue]:
        """Texts that were copied, where the task is to change them."""
        if self.name != "text2text-generation" and (copied := _copies(examples)):
            remedy = "translate or summarize them, or remove the rows"
            yield Issue("oddity", "targets that equal their source", remedy, rows=copied)

    def _notes(self, examples: "Dataset") -> Iterator[str]:
        several = sum(1 for (targets,) in values(examples, "target") if len(targets) > 1)
        notes = [(several, "sources have several targets; the first is learned, all are scored")]
        if self.name == "text2text-generation":
            notes.append((len(_copies(examples)), "targets equal their source"))
        yield from (f"{count} {words}" for count, words in notes if count)

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        prompts, limit = self._prompts(examples), max_input_length(self.max_length, tokenizer)
        prompts, factors = beginnings(prompts, limit, tokenizer)
        inputs = tokenizer(prompts, verbose=False)
        names = [name for name in tokenizer.model_input_names if name in inputs]
        features: Features = {name: list(inputs[name]) for name in names}
        features |= {"example": list(range(len(prompts))), "tokens_cut": [0] * len(prompts)}
        for i in [i for i, ids in enumerate(inputs["input_ids"]) if len(ids) > limit]:
            short = tokenizer(prompts[i], truncation=True, max_length=limit, verbose=False)
            whole = round(len(inputs["input_ids"][i]) * factors[i])
            features["tokens_cut"][i] = whole - len(short["input_ids"])
            for name in names:
                features[name][i] = short[name]
        if MIXTURE in examples:
            features[MIXTURE] = list(examples[MIXTURE])
        features["length"] = [len(ids) for ids in features["input_ids"]]
        return features | (self._labels(examples["target"], tokenizer) if "target" in examples else {})

    def _labels(self, targets: list[list[str]], tokenizer: "PreTrainedTokenizerBase") -> Features:
        """The tokens of each first reference; of one that is too long the beginning, without an end-of-text token."""
        longest = min(self.max_target_length, tokenizer.model_max_length)
        whole = tokenizer(text_target=[texts[0] for texts in targets], verbose=False)["input_ids"]
        return {
            "labels": [ids[:longest] for ids in whole],
            "target_length": [min(len(ids), longest) for ids in whole],
            "target_tokens_cut": [max(0, len(ids) - longest) for ids in whole],
        }

    def _prompts(self, examples: Examples) -> list[str]:
        return [self.prefix + source for source in examples["source"]]

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return SequenceCollator(tokenizer, model.prepare_decoder_input_ids_from_labels)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        from torch.nn import functional

        logits, labels = outputs["logits"].flatten(0, 1).float(), batch["labels"].flatten()  # (B * T, V), (B * T,)
        total = functional.cross_entropy(
            logits, labels, ignore_index=IGNORE, reduction="sum", label_smoothing=self.label_smoothing
        )
        return total / (items_in(batch) if items is None else items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(log_probabilities, written)

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        return MetricInputs(
            [prediction["prediction"] for prediction in predictions],
            examples["target"][:],
            context={"sources": examples["source"][:], "language": self.target_language},
            counts={"cut": sum(prediction["cut"] for prediction in predictions)},
        )


def log_probabilities(outputs: Any, features: Features) -> list[Any]:
    """(T,) the log-probability of each token of the first reference, for B features."""
    import torch

    items = []
    for logits, ids in zip(outputs["logits"].float(), features["labels"], strict=True):  # (T, V)
        chosen = torch.tensor(ids, device=logits.device)[:, None]
        items.append(logits[: len(ids)].log_softmax(-1).gather(1, chosen)[:, 0].cpu().numpy())
    return items


def written(generated: list[Any], split: EncodedSplit) -> list[Prediction]:
    """The text of each example, whether it was cut, and what the decoding says of its choice."""
    return [{"prediction": one.text, "cut": one.cut} | one.choice for one in generated]


def _copies(examples: "Dataset") -> list[int]:
    """The rows whose first target is their source."""
    import pyarrow.compute as pc

    same = []
    for batch in examples.select_columns(["source", "target"]).with_format("arrow").iter(batch_size=10_000):
        first = pc.list_element(batch["target"], 0)
        same.append(pc.equal(pc.utf8_trim_whitespace(batch["source"]), pc.utf8_trim_whitespace(first)).to_numpy())
    return np.flatnonzero(np.concatenate(same)).tolist() if same else []
