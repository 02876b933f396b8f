"""Sentence similarity: texts to vectors whose cosine says how much they mean the same (Siamese bi-encoders, Reimers and
Gurevych 2019, https://aclanthology.org/D19-1410).

{"sentence1": "A plane is taking off.", "sentence2": "An air plane is taking off.", "score": 5.0}
{"sentence1": "How do I lose weight?", "sentence2": "How can I get thin?", "label": 1}
{"anchor": "who wrote hamlet", "positive": "Hamlet is a play by Shakespeare.", "negatives": ["Rome is a city."]}
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.metrics.thresholds import best_for_f1
from hf_tasks.tasks.base import TUNED, Task
from hf_tasks.tasks.sentence_similarity import losses
from hf_tasks.tasks.sentence_similarity.features import TextsCollator, features_of, groups
from hf_tasks.tasks.sentence_similarity.ranks import cosine, ranked
from hf_tasks.tasks.sentence_similarity.rows import label_of, negatives_of
from hf_tasks.tasks.text_classification.labels import score_of
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
    rows,
    text_of,
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Target = Literal["score", "label", "positive"]
Loss = Literal["cosent", "cosine", "contrastive", "in-batch", "triplet"]

LOSSES: dict[Target, tuple[Loss, ...]] = {
    "score": ("cosine", "cosent"),
    "label": ("contrastive",),
    "positive": ("in-batch", "triplet"),
}
"""The losses for each target, the default first."""
OF_BATCHES: tuple[Loss, ...] = ("cosent", "in-batch")
"""Losses that compare the rows of a batch with each other."""
KEYS: dict[str, tuple[Loss, ...]] = {
    "scale": OF_BATCHES, "symmetric": ("in-batch",), "margin": ("contrastive", "triplet"), "score_max": ("cosine",),
}  # fmt: skip
"""Keys and the losses that read them."""
MARGINS = {"contrastive": 0.5, "triplet": 1.0}
NEUTRAL = 0.5
"""The threshold of a task that is not tuned yet."""


class SentenceSimilarity(Task):
    """Embed texts so that the cosine of two of them says how much they mean the same."""

    name: Literal["sentence-similarity"]
    target: Target | None = None
    """The column that is learned: a score or a label of two texts, or an anchor's positive; found in the training data
    where not given."""
    loss_function: Loss | None = None
    """Scores: cosine or cosent; labels: contrastive; positives: in-batch or triplet. The first is the default."""
    scale: float = Field(20.0, gt=0)
    """Factor of the cosines in the losses cosent and in-batch, the inverse of a temperature."""
    symmetric: bool = False
    """In-batch: also find the anchor of each positive."""
    margin: float | None = Field(None, gt=0)
    """Contrastive: the cosine distance that different texts should have, 0.5 by default; triplet: how much farther
    negatives should be than the positive, in Euclidean distance, 1.0 by default."""
    score_max: float | None = Field(None, gt=0)
    """The score of a cosine of 1; the highest one of the training data where not given."""
    dimensions: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of first dimensions that are trained to be usable by themselves, besides all of them (Matryoshka,
    Kusupati et al. 2022, https://arxiv.org/abs/2205.13147)."""
    threshold: Literal["tuned"] | Annotated[float, Field(ge=-1, le=1)] | None = None
    """Labels: the cosine above which two texts mean the same; by default the one with the highest F1 on validation."""

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.target and self.loss_function and self.loss_function not in LOSSES[self.target]:
            known = " or ".join(LOSSES[self.target])
            yield ("loss_function",), f"{self.loss_function} does not learn from the column {self.target}; use {known}"
        for key, readers in KEYS.items():
            if self.loss_function and key in self.model_fields_set and self.loss_function not in readers:
                yield (key,), f"the loss {self.loss_function} does not read it; remove it"

    # -- from rows to examples

    @property
    def columns(self) -> Columns:
        aliases = {
            "question1": "sentence1", "question2": "sentence2", "text1": "sentence1", "text2": "sentence2",
            "sentence_1": "sentence1", "sentence_2": "sentence2", "sentence_A": "sentence1", "sentence_B": "sentence2",
            "premise": "sentence1", "hypothesis": "sentence2", "similarity_score": "score",
            "relatedness_score": "score",
            "is_duplicate": "label", "query": "anchor", "question": "anchor", "answer": "positive",
            "passage": "positive", "negative": "negatives",
        }  # fmt: skip
        pairs = ("sentence1", "sentence2")
        match self.target:
            case None:
                return Columns(
                    required=pairs[:1], optional=(*pairs[1:], "anchor", "negatives"), aliases=aliases,
                    targets=("score", "label", "positive"), instead={"sentence1": ("anchor",)}, lists=("negatives",),
                )  # fmt: skip
            case "positive":
                known = _of(aliases, "anchor", "positive", "negatives")
                optional = ("positive", "negatives")  # its cosine can be asked for
                return Columns(("anchor",), ("positive",), optional, aliases=known, lists=("negatives",))
            case target:
                return Columns(pairs, (target,), aliases=_of(aliases, *pairs, target))

    @property
    def traits(self) -> Traits:
        anchored = self.target == "positive"
        return Traits(
            examples="anchors" if anchored else "pairs",
            targets=f"{self.target or 'score'}s",
            inputs=("anchor", "positive") if anchored else ("sentence1", "sentence2"),
            identity=("anchor",) if anchored else (),
            one_answer=not anchored,
            group="anchor" if anchored else "",
            strata=_strata,
            score_column="score" if self.target == "score" else "",
            mean_over_examples=self.loss_function not in OF_BATCHES,
            loss_of_batches=self.loss_function in OF_BATCHES,
            batch_groups=_groups if self.loss_function == "in-batch" else None,
            metric_kinds=("labels", "ranks") if anchored else ("labels", "similarities"),
            kind=self.target or "",
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModel", embeds=True, widths=self.dimensions)

    def parse(self, row: RawRow) -> Example:
        texts = [name for name in ("sentence1", "sentence2", "anchor", "positive") if name in row]
        example: Example = {name: text_of(row[name], name) for name in texts}
        if "anchor" in row and "negatives" in row:
            example["negatives"] = negatives_of(row["negatives"])
        if "label" in row:
            example["label"] = label_of(row["label"])
        elif "score" in row:
            example["score"] = score_of(row["score"])
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        found: Any = self.columns.target(train.column_names)
        needed = "anchor" if found == "positive" else "sentence2"
        if self.target not in (None, found) or needed not in train.column_names:
            missing = self.target if self.target not in (None, found) else needed
            raise ValueError(
                f'the training data has "{found}", but no column "{missing}"; rename it with data.columns: '
                f"{{{missing}: NAME}}"
            )
        fitted = self.model_copy(update={"target": found, "loss_function": self.loss_function or LOSSES[found][0]})
        for key, text in fitted.clashes():
            raise ValueError(f"task.{key[0]}: {text}")
        if fitted.loss_function == "triplet" and "negatives" not in train.column_names:
            raise ValueError('task.loss_function: triplet needs a column "negatives"; add it, or use in-batch')
        update: dict[str, Any] = {"metrics": self.metrics or _metrics(found, train.column_names)}
        if fitted.loss_function == "cosine" and self.score_max is None:
            update["score_max"] = float(np.abs(train["score"][:]).max()) or 1.0
        return fitted.model_copy(update=update)

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(self._errors(examples), notes=self._notes(examples))

    def _errors(self, examples: "Dataset") -> Iterator[RowError]:
        for row, example in enumerate(rows(examples)):
            negatives = example.get("negatives", [])
            for name in ("sentence1", "sentence2", "anchor", "positive"):
                if name in example and is_blank(example[name]):
                    yield row, f"the {name} is empty; write it or remove the row"
            if any(map(is_blank, negatives)):
                yield row, "a negative is empty; write it or remove it"
            if example.get("positive") in negatives:
                yield row, "the positive is also a negative; remove one of the two"
            if self.loss_function == "triplet" and not negatives:
                yield row, "there is no negative, which the triplet loss needs; add one or remove the row"
            if abs(example.get("score", 0.0)) > (self.score_max or np.inf):
                yield row, f"the score is above task.score_max {self.score_max:g}; correct it"

    def _notes(self, examples: "Dataset") -> Iterator[str]:
        if self.target == "positive" and len(examples):
            sizes = np.bincount(_groups(examples))
            if shared := int(sizes[sizes > 1].sum()):
                yield f"{shared:,} rows share texts with others; groups of up to {sizes.max()} rows"

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        first, second = ("anchor", "positive") if "anchor" in examples else ("sentence1", "sentence2")
        columns = [examples[name] for name in (first, second) if name in examples]
        texts = [list(row) for row in zip(*columns, strict=True)]
        if "positive" in examples:
            texts = [[*row, *more] for row, more in zip(texts, _negatives(examples), strict=True)]
        features = features_of(texts, tokenizer, max_input_length(self.max_length, tokenizer))
        match self.target:
            case "positive" if "positive" in examples:
                features["labels"] = [1.0] * len(texts)
            case "score" | "label" as target if target in examples:
                features["labels"] = [float(value) for value in examples[target]]
        return features

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return TextsCollator(tokenizer)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        import torch

        embeddings = outputs["sentence_embedding"]  # (B, T, H)
        widths = [*self.dimensions, embeddings.shape[-1]]
        with torch.autocast(embeddings.device.type, enabled=False):
            total = sum((self._loss_of(embeddings[..., :width].float(), batch) for width in widths), torch.tensor(0.0))
        if self.loss_function == "cosent":
            return total / len(widths)
        return total / (len(widths) * (len(batch["labels"]) if items is None else items))

    def _loss_of(self, embeddings: "Tensor", batch: Batch) -> "Tensor":
        labels, real = batch["labels"], batch["loss_real"]
        match self.loss_function:
            case "triplet":
                return losses.triplet(embeddings, real, self.margin or MARGINS["triplet"])
            case "in-batch":
                return losses.in_batch(embeddings, real, batch["loss_texts"], self.scale, symmetric=self.symmetric)
        cosine = losses.cosines(embeddings)
        match self.loss_function:
            case "cosent":
                return losses.cosent(cosine, labels, self.scale)
            case "cosine":
                return losses.cosine_regression(cosine, labels / (self.score_max or 1.0))
        return losses.contrastive(cosine, labels, self.margin or MARGINS["contrastive"])

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        tunes = self.target == "label" and self.threshold in (None, TUNED)
        return Postprocessor(_vectors, self._decode, self._calibrated if tunes else None)

    def _decode(self, items: list[Any], split: EncodedSplit) -> list[Prediction]:
        examples = list(rows(split.examples))
        if "anchor" in split.examples.column_names:
            known = "positive" in split.examples.column_names
            return ranked(examples, items) if known else [{"embedding": item[0].tolist()} for item in items]
        scores = list(map(cosine, items))
        if self.target != "label":
            return [{"score": score} for score in scores]
        threshold = self.threshold if isinstance(self.threshold, float) else NEUTRAL
        return [{"score": score, "label": int(score > threshold)} for score in scores]

    def _calibrated(self, items: list[Any], split: EncodedSplit) -> Self:
        shares = (np.array(list(map(cosine, items))) + 1) / 2  # from 0 to 1
        best = 2 * best_for_f1(shares, np.array(split.examples["label"][:])) - 1
        return self.model_copy(update={"threshold": float(best)})

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        match self.target:
            case "score":
                return MetricInputs([one["score"] for one in predictions], list(examples["score"][:]))
            case "label":
                return MetricInputs(
                    [str(one["label"]) for one in predictions],
                    list(map(str, examples["label"][:])),
                    context={"similarities": [one["score"] for one in predictions]},
                )
        margins = [one["score"] - max(one["negative_scores"], default=-1.0) for one in predictions]
        ranks = [one["rank"] for one in predictions]
        return MetricInputs(ranks, [1] * len(examples), context={"margins": margins})


def _of(aliases: dict[str, str], *columns: str) -> dict[str, str]:
    return {alias: column for alias, column in aliases.items() if column in columns}


def _metrics(target: str, columns: list[str]) -> tuple[str, ...]:
    match target:
        case "score":
            return "spearman", "pearson"
        case "label":
            return "average_precision", "positive_f1", "accuracy"
    return ("retrieval", "triplet_accuracy") if "negatives" in columns else ("retrieval",)


def _strata(example: Example) -> tuple[str, ...]:
    return (str(example.get("label", "")),)


def _negatives(examples: Examples) -> list[list[str]]:
    return examples.get("negatives") or [[]] * len(examples["anchor"])


def _groups(examples: "Dataset") -> np.ndarray:
    return groups(values(examples, "anchor", "positive"))


def _vectors(outputs: Any, features: Features) -> list[Any]:
    """B x (T, H)"""
    vectors = outputs["sentence_embedding"].float().cpu().numpy()  # (B, T, H)
    return [row[: len(ids)] for row, ids in zip(vectors, features["input_ids"], strict=True)]
