"""Text in, text out: summarization, translation, and any other rewriting of a text, such as correction.

{"source": "A dog runs.", "target": "Ein Hund rennt."}
{"source": "He go home.", "target": ["He goes home.", "He went home."]}
{"translation": {"en": "A dog runs.", "de": "Ein Hund rennt."}}

A model learns the first reference of each example; predictions are scored against all of them.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.tasks.base import GenerativeTask
from hf_tasks.tasks.collate import IGNORE, SequenceCollator
from hf_tasks.tasks.data_facts import Lengths, Oddity
from hf_tasks.tasks.examples import Collator, Columns, Row, Split, is_blank, values
from hf_tasks.tasks.tokenizer_languages import knows_languages, set_first_token, set_languages

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

DEFAULT_METRICS = {
    "summarization": ("rougeL",),
    "translation": ("bleu", "chrf"),
    "text2text-generation": ("rougeL", "bleu"),
}


class TextToText(GenerativeTask):
    auto_model: ClassVar[str] = "AutoModelForSeq2SeqLM"
    weighs_examples_equally: ClassVar[bool] = False
    one_answer: ClassVar[bool] = False
    inputs: ClassVar[tuple[str, ...]] = ("source",)
    optional: ClassVar[tuple[str, ...]] = ("translation",)
    targets: ClassVar[tuple[str, ...]] = ("target",)
    aliases: ClassVar[dict[str, str]] = {
        "document": "source",
        "article": "source",
        "dialogue": "source",
        "sentence": "source",
        "text": "source",
        "references": "target",
        "corrections": "target",
        "summary": "target",
        "highlights": "target",
    }

    name: Literal["summarization", "translation", "text2text-generation"]
    prefix: str = ""
    """What stands before every source: T5 was pretrained with "summarize: " or "translate English to German: "."""
    source_language: str | None = None
    """The source's key in a column `translation`, and its code for tokenizers of several languages (mBART, NLLB)."""
    target_language: str | None = None
    """The target's."""
    max_target_length: int = Field(128, ge=2)
    """The longest target in tokens; longer ones are cut, so that the model does not learn to end there."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the probability that is spread over the whole vocabulary in training (Szegedy et al. 2016, section 7,
    https://arxiv.org/abs/1512.00567; 0.1 in Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if bool(self.source_language) != bool(self.target_language):
            absent = "target_language" if self.source_language else "source_language"
            yield (absent,), "one language alone says nothing; name both, or none"

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        return None if "translation" in columns else super().missing(columns, labelled)

    def example(self, row: Row) -> Row:
        if row.get("translation") is not None:
            row = self._of_languages(row["translation"]) | row
        example: Row = {"source": _text(row["source"], "source")}
        if "target" in row:
            target = row["target"]
            several = target if isinstance(target, list | tuple) else [target]
            if not len(several):
                raise ValueError("the list of targets is empty; write one or more")
            example["target"] = [_text(text, "target") for text in several]
        return example

    def _of_languages(self, texts: Any) -> Row:
        """Source and target in a dict of languages."""
        if not isinstance(texts, dict):
            raise ValueError('the translation is no dict of languages; write for example {"en": "...", "de": "..."}')
        if not self.source_language or not self.target_language:
            known = ", ".join(texts)
            raise ValueError(f"a translation of {known}; set task.source_language and task.target_language")
        for language in (self.source_language, self.target_language):
            if language not in texts:
                raise ValueError(
                    f'the translation has no "{language}" (it has {", ".join(texts)}); set task.source_language and '
                    "task.target_language"
                )
        return {"source": texts[self.source_language], "target": texts[self.target_language]}

    def resolve(self, train: "Dataset") -> Self:
        return self.model_copy(update={"metrics": self.metrics or DEFAULT_METRICS[self.name]})

    def check(self, example: Row) -> Iterator[str]:
        if is_blank(example["source"]):
            yield "the source is empty; write it or remove the row"
        if any(map(is_blank, example["target"])):
            yield "a target is empty; write it or remove the row"

    # -- tokenizer and model

    def set_languages(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        if self.source_language and self.target_language and knows_languages(tokenizer):
            set_languages(tokenizer, self.source_language, self.target_language)

    def set_first_token(self, model: Any, tokenizer: "PreTrainedTokenizerBase") -> None:
        if self.source_language and knows_languages(tokenizer):
            set_first_token(model, tokenizer)

    # -- from examples to features

    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        prompts, limit = self.prompts(examples), self.limit(tokenizer)
        inputs = tokenizer(prompts, verbose=False)
        names = [name for name in tokenizer.model_input_names if name in inputs]
        features: Columns = {name: list(inputs[name]) for name in names}
        features |= {"example": list(range(len(prompts))), "tokens_cut": [0] * len(prompts)}
        for i in [i for i, ids in enumerate(inputs["input_ids"]) if len(ids) > limit]:
            short = tokenizer(prompts[i], truncation=True, max_length=limit, verbose=False)
            features["tokens_cut"][i] = len(inputs["input_ids"][i]) - len(short["input_ids"])
            for name in names:
                features[name][i] = short[name]
        features["length"] = [len(ids) for ids in features["input_ids"]]
        return features | (self._labels(examples["target"], tokenizer) if "target" in examples else {})

    def _labels(self, targets: list[list[str]], tokenizer: "PreTrainedTokenizerBase") -> Columns:
        """The tokens of each first reference; of one that is too long the beginning, without an end-of-text token."""
        longest = min(self.max_target_length, tokenizer.model_max_length)
        whole = tokenizer(text_target=[texts[0] for texts in targets], verbose=False)["input_ids"]
        return {
            "labels": [ids[:longest] for ids in whole],
            "target_tokens_cut": [max(0, len(ids) - longest) for ids in whole],
        }

    def prompts(self, examples: Columns) -> list[str]:
        return [self.prefix + source for source in examples["source"]]

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return SequenceCollator(tokenizer, model.prepare_decoder_input_ids_from_labels)

    def references(self, examples: "Dataset") -> list[Any]:
        return list(examples["target"][:])

    def context(self, examples: "Dataset") -> dict[str, Any]:
        return {"sources": examples["source"][:], "language": self.target_language}

    def texts(self, examples: "Dataset") -> Iterator[str]:
        for batch in examples.iter(batch_size=1000):
            yield from self.prompts(batch)
            yield from (text for several in batch.get("target", []) for text in several)

    def unit(self) -> str:
        return "sources"

    def summary(self, split: Split) -> list[str]:
        if "target" not in split.examples.column_names:
            return []
        several = sum(1 for (targets,) in values(split.examples, "target") if len(targets) > 1)
        notes = [(several, "sources have several targets; the first is learned, all are scored")]
        if self.name == "text2text-generation":
            notes.append((len(_copies(split.examples)), "targets equal their source"))
        return [f"{count} {words}" for count, words in notes if count]

    def oddities(self, examples: "Dataset") -> Iterator[Oddity]:
        """Texts that were copied, where the task is to change them."""
        if self.name != "text2text-generation" and (rows := _copies(examples)):
            yield Oddity(rows, "targets that equal their source", "translate or summarize them, or remove the rows")

    def lengths(self, split: Split) -> Iterator[Lengths]:
        yield from super().lengths(split)
        if "labels" in split.features.column_names:
            cut = np.asarray(split.features.with_format("numpy")["target_tokens_cut"][:])
            kept = np.array([len(ids) for ids in split.features["labels"]])
            yield Lengths("targets", "max_target_length", self.max_target_length, kept + cut, kept)

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        from torch.nn import functional

        logits = outputs["logits"].flatten(0, 1).float()  # (B * T, V)
        items = (labels != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch
        smoothing = self.label_smoothing
        total = functional.cross_entropy(
            logits, labels.flatten(), ignore_index=IGNORE, reduction="sum", label_smoothing=smoothing
        )
        return total / items

    def unsmoothed(self) -> Self:
        return self.model_copy(update={"label_smoothing": 0.0})

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        """(T,) log-probability of each token of the first reference."""
        import torch

        items = []
        for logits, ids in zip(outputs["logits"].float(), features["labels"], strict=True):  # (T, V)
            chosen = torch.tensor(ids, device=logits.device)[:, None]
            items.append(logits[: len(ids)].log_softmax(-1).gather(1, chosen)[:, 0].cpu().numpy())
        return items

    def answer(self, prediction: Row) -> Any:
        return prediction["prediction"]

    def tally(self, predictions: list[Row]) -> dict[str, int]:
        return {"cut": sum(row["cut"] for row in predictions)}


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the {name} is no text ({value!r}); write it in quotes or remove the row")
    return value


def _copies(examples: "Dataset") -> list[int]:
    """The rows whose first target is their source."""
    import pyarrow.compute as pc

    same = []
    for batch in examples.select_columns(["source", "target"]).with_format("arrow").iter(batch_size=10_000):
        first = pc.list_element(batch["target"], 0)
        same.append(pc.equal(pc.utf8_trim_whitespace(batch["source"]), pc.utf8_trim_whitespace(first)).to_numpy())
    return np.flatnonzero(np.concatenate(same)).tolist() if same else []
