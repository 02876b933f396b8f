"""Token classification: one tag for every word. Named entities, parts of speech, word segmentation.

    {"tokens": ["Ann", "met", "Bo"], "tags": ["B-PER", "O", "B-PER"]}
    {"text": "Ann met Bo", "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 10, "label": "PER"}]}
    {"text": "Ann met Bo"}                                      for prediction

Spans are character offsets, as annotation tools export them. A model reads sub-words; the first sub-word of a word
carries the word's tag, the others none (Devlin et al. 2019, https://aclanthology.org/N19-1423, section 5.3). Sentences
longer than the model are read in overlapping windows, cut between words; the tag of a word that is in two windows is
learned and predicted in the one where the word has more context.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.core.section import did_you_mean
from hf_tasks.metrics import METRICS
from hf_tasks.metrics.calibration import temperature_of_labels
from hf_tasks.metrics.tag_schemes import Scheme, Tags, complete, detect
from hf_tasks.tasks.base import TUNED, Task
from hf_tasks.tasks.collate import IGNORE, items_in
from hf_tasks.tasks.token_classification import features as words_read
from hf_tasks.tasks.token_classification import tag_meaning
from hf_tasks.tasks.token_classification.words import SplitText, tags_of_words, words_of
from hf_tasks.tasks.types import (
    Batch,
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
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

CHARACTERS = 0.9
"""Share of training words that are one character, above which a text is split into characters."""


class TokenClassification(Task):
    """Predict a tag for every word: entities, parts of speech or word segmentation."""

    name: Literal["token-classification"]
    scheme: Scheme | None = None
    """How the tags write down entities or words; found in the training data where not given."""
    labels: tuple[str, ...] = ()
    """The tags, in the order of their ids. Where not given: those of the training data, and for each type of entity
    all prefixes of the scheme."""
    temperature: Literal["tuned"] | Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits before they become probabilities; "tuned": for the likeliest tags of the validation split."""
    split_text: SplitText | None = None
    """How a plain text becomes words: `words` are runs of letters and digits, any other character alone, as is each
    character of Chinese and Japanese; `characters` are all characters. Where not given: as in the training data."""
    doc_stride: int = Field(64, ge=0)
    """Tokens by which the windows of a long sentence overlap; at most half a window."""

    @property
    def meaning(self) -> tag_meaning.Meaning:
        """What the tags encode, once the scheme is known."""
        return tag_meaning.meaning(self.scheme or "none")

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if len(set(self.labels)) < len(self.labels):
            yield ("labels",), "a tag is named twice; keep one of them"

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("tokens",),
            optional=("text",),
            targets=("tags", "spans"),
            aliases={
                "words": "tokens", "ner_tags": "tags", "pos_tags": "tags", "upos": "tags", "labels": "tags",
                "entities": "spans", "label": "spans",
            },
            instead={"tokens": ("text",)},
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            examples="sentences",
            targets="tags",
            metric_kinds=("tags",),
            inputs=("text",),
            identity=("tokens",),
            label_column="tags",
            global_attention="none",
            mean_over_examples=False,
        )

    @property
    def model_spec(self) -> ModelSpec:
        names = {"id2label": dict(enumerate(self.labels)), "label2id": {tag: i for i, tag in enumerate(self.labels)}}
        return ModelSpec("AutoModelForTokenClassification", names, tokenizer_options={"add_prefix_space": True})

    def parse(self, row: RawRow) -> Example:
        example = words_of(row, self.split_text or "words")
        for name in self.columns.targets:
            if name in row:
                return example | {"tags": tags_of_words(row[name], example, self.labels)}
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        tags = train["tags"][:]
        scheme = self.scheme or detect(tags)
        labels = self.labels or complete((tag for row in tags for tag in row), scheme)
        if len(labels) < 2:
            raise ValueError(f"the training data has one tag only ({', '.join(labels)}); two are needed to learn")
        meaning = tag_meaning.meaning(scheme)
        for name in self.metrics:
            if name in METRICS and METRICS[name].reads not in ("", meaning.marks):
                raise ValueError(f"task.metrics: {name} has no meaning for tags of scheme {scheme}; remove it")
        lengths = np.array([len(token) for row in train["tokens"][:] for token in row])
        by = "characters" if (lengths == 1).mean() > CHARACTERS else "words"
        metrics = self.metrics or meaning.metrics
        filled = {"scheme": scheme, "labels": labels, "split_text": self.split_text or by, "metrics": metrics}
        return self.model_copy(update=filled)

    def train_stats(self, train: "Dataset") -> dict[str, Any]:
        return self.meaning.train_stats(_references(train))

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(self._errors(examples), self._warnings(examples), self._notes(examples))

    def _errors(self, examples: "Dataset") -> Iterator[RowError]:
        for row, (tokens, tags) in enumerate(values(examples, "tokens", "tags")):
            if all(map(is_blank, tokens)):
                yield row, "the sentence has no words; write some or remove the row"
            if "" in tokens:
                yield row, f"word {tokens.index('') + 1} is empty; write it, or remove it and its tag"
            unknown = [tag for tag in dict.fromkeys(tags) if tag not in self.labels]
            if unknown:
                named = ", ".join(f'"{tag}"' for tag in unknown)
                guess = did_you_mean(unknown[0], self.labels)
                remedy = f"correct the row, or name all tags in task.labels{guess}"
                yield row, f"the training data has no tag {named}; {remedy}"

    def _warnings(self, examples: "Dataset") -> Iterator[Issue]:
        yield from tag_meaning.warnings(examples, self.labels, self.scheme or "none")

    def _notes(self, examples: "Dataset") -> Iterator[str]:
        yield self.meaning.summary(examples["tags"][:])

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        """A further column: `heads`, the place of the first sub-word of each word whose tag is decided in this window,
        from the end where the tokenizer pads on the left. A sentence without words is read as one empty word."""
        sentences, tags = [tokens or [""] for tokens in examples["tokens"]], None
        if "tags" in examples:
            ids = {tag: i for i, tag in enumerate(self.labels)}
            tags = [[ids[tag] for tag in row] or [IGNORE] for row in examples["tags"]]
        limit = max_input_length(self.max_length, tokenizer)
        features = words_read.encode(sentences, tags, tokenizer, limit, self.doc_stride)
        if tokenizer.padding_side == "left":
            pairs = zip(features["heads"], features["length"], strict=True)
            features["heads"] = [[head - length for head in heads] for heads, length in pairs]
        unread = {"token_type_ids"} - set(tokenizer.model_input_names)
        return {name: values for name, values in features.items() if name not in unread}

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        from torch.nn import functional

        logits, labels = outputs["logits"].float().flatten(0, 1), batch["labels"].flatten()  # (B * L, C), (B * L,)
        total = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
        return total / (items_in(batch) if items is None else items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(_word_logits, self._decode, self._calibrated if self.temperature == TUNED else None)

    def _decode(self, outputs: list[Any], split: EncodedSplit) -> list[Prediction]:
        names = [name for name in ("tokens", "text", "offsets") if name in split.examples.column_names]
        examples = [dict(zip(names, row, strict=True)) for row in values(split.examples, *names)]
        begins = np.cumsum([0, *(max(len(example["tokens"]), 1) for example in examples)])
        logits = np.concatenate(outputs)  # (all words, C), in order: earlier windows decide earlier words
        logits = logits / (1.0 if self.temperature == TUNED else self.temperature)
        best = logits.argmax(axis=1)
        scores = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        return [
            self._prediction(example, best[begin : begin + len(example["tokens"])], scores[begin:])
            for begin, example in zip(begins, examples, strict=False)
        ]

    def _prediction(self, example: Example, best: np.ndarray, scores: np.ndarray) -> Prediction:
        """tokens, and for each one its tag and the tag's probability; then what the tags mean."""
        tags = [self.labels[i] for i in best]
        prediction = {"tokens": example["tokens"], "tags": tags, "scores": scores[: len(tags)].tolist()}
        return prediction | self.meaning.found(example, tags, scores)

    def _calibrated(self, outputs: list[Any], split: EncodedSplit) -> Self:
        ids = {tag: i for i, tag in enumerate(self.labels)}
        tags = split.examples["tags"][:]
        logits = np.concatenate(outputs)  # a sentence without words has a row too
        real = np.concatenate([np.full(max(len(row), 1), bool(row)) for row in tags])
        right = np.array([ids[tag] for row in tags for tag in row])
        return self.model_copy(update={"temperature": temperature_of_labels(logits[real], right)})

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        references = _references(examples)
        return MetricInputs(
            [prediction["tags"] for prediction in predictions],
            references,
            context={"labels": self.labels},
            confidence=lambda: _confidence(predictions, references),
        )


def _references(examples: "Dataset") -> list[Tags]:
    return [Tags(tags, tokens) for tags, tokens in values(examples, "tags", "tokens")]


def _confidence(predictions: list[Prediction], references: list[Tags]) -> dict[str, Any]:
    pairs = zip(predictions, references, strict=True)
    right = [(row["scores"], [a == b for a, b in zip(row["tags"], tags, strict=True)]) for row, tags in pairs]
    return {"decisions": right}


def _word_logits(outputs: Any, features: Features) -> list[Any]:
    counts = [len(heads) for heads in features["heads"]]
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.concatenate([np.array(heads, dtype=np.int64) for heads in features["heads"]])
    logits = outputs["logits"][rows, columns].float().cpu().numpy()  # (words of the batch, C)
    return np.split(logits, np.cumsum(counts)[:-1])  # B x (W, C)
