"""Extractive question answering: a question and a context to a span of the context, or to no answer.

    {"id": "56be4db0", "question": "Who won?", "context": "The Denver Broncos beat the Panthers.",
     "answers": {"text": ["Denver Broncos", "The Denver Broncos"], "answer_start": [4, 0]}}

Questions without an answer have empty lists and `"is_impossible": true`. The model is that of Devlin et al. 2019 (https://aclanthology.org/N19-1423):
one logit for each token as the start of the answer, one as its end; no answer is a span at the first token, [CLS].
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from hf_tasks.tasks.base import Task
from hf_tasks.tasks.question_answering import features as question_features
from hf_tasks.tasks.question_answering.answers import misplaced, odd_answers, read_answers
from hf_tasks.tasks.question_answering.spans import AnswerChoice, Found, Search
from hf_tasks.tasks.types import (
    Batch,
    Columns,
    Decode,
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
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


class QuestionAnswering(Task):
    """Find the answer to a question as a span of a context, or predict that it has none."""

    name: Literal["question-answering"]
    max_length: int = Field(384, ge=32)
    """The longest window in tokens, question and special tokens included."""
    doc_stride: int = Field(128, ge=0)
    """Tokens that two windows of a context have in common."""
    max_answer_length: int = Field(30, ge=1)
    """The longest answer in tokens."""
    n_best_size: int = Field(20, ge=1)
    """Start logits, end logits and answers that are looked at; a prediction lists that many answers."""
    version_2_with_negative: bool | None = None
    """Whether "no answer" is a possible prediction; where it is not given: whether any training question has none.
    Where it is true, empty answers need no is_impossible."""
    null_score_diff_threshold: float | None = None
    """No answer is predicted where its score exceeds that of the best span by more; tuned on the validation split for
    the highest F1 where it is not given."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.doc_stride > self.max_length - 2 * question_features.LEAST_ADVANCE:
            text = f"windows of {self.max_length} tokens cannot overlap by {self.doc_stride}"
            yield ("doc_stride",), f"{text}; give at most {self.max_length // 2}"
        if self.version_2_with_negative is False and self.null_score_diff_threshold is not None:
            yield ("null_score_diff_threshold",), "every question gets an answer, there is nothing to decide; remove it"

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("question", "context"),
            optional=("id", "answer_start", "is_impossible"),
            targets=("answers", "answer_text"),
            aliases={
                "passage": "context", "paragraph": "context", "query": "question", "qid": "id",
                "answer": "answer_text",
            },
            companions={"answer_text": "answer_start"},
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            examples="questions",
            targets="answers",
            metric_kinds=("answers",),
            inputs=("question", "context"),
            group="context",
            global_attention="question",
            strata=lambda example: ("answer",) if example["answers"]["text"] else ("no answer",),
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForQuestionAnswering")

    def parse(self, row: RawRow) -> Example:
        example: Example = {"id": _id(row["id"])} if "id" in row else {}
        example |= {name: text_of(row[name], name) for name in self.columns.required}
        if any(name in row for name in self.columns.targets):
            example["answers"] = read_answers(row, unmarked=bool(self.version_2_with_negative))
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        negative = self.version_2_with_negative
        if negative is None:
            negative = any(not answers["text"] for answers in train["answers"][:])
        metrics = self.metrics or (("squad_v2",) if negative else ("squad",))
        return self.model_copy(update={"version_2_with_negative": negative, "metrics": metrics})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(self._errors(examples), odd_answers(examples), self._notes(examples, features))

    def _errors(self, examples: "Dataset") -> Iterator[RowError]:
        seen: set[str] = set()
        for row, example in enumerate(rows(examples)):
            for name in self.columns.required:
                if is_blank(example[name]):
                    yield row, f"the {name} is empty; write it or remove the row"
            answers = example["answers"]
            where = f' (question "{example["id"]}")' if "id" in example else ""
            for text, start in zip(answers["text"], answers["answer_start"], strict=True):
                if problem := misplaced(example["context"], text, start):
                    yield row, problem + where
                elif not text.strip():
                    yield row, f"an answer is blank; correct or remove it{where}"
            if "id" in example and example["id"] in seen:
                yield row, f'an earlier question has the id "{example["id"]}" too; give each its own'
            seen.add(example.get("id", ""))

    def _notes(self, examples: "Dataset", features: "Dataset | None") -> Iterator[str]:
        none, lost, long = sum(1 for answers in examples["answers"][:] if not answers["text"]), 0, 0
        if features is not None:
            lost = sum(features["answer_lost"][:])
            spans = zip(features["example"][:], features["labels"][:], strict=True)
            long = len({example for example, (first, last) in spans if last - first >= self.max_answer_length})
        notes = [
            (none, "questions have no answer"),
            (lost, "answers lie in no window as a whole and cannot be learned; raise doc_stride"),
            (long, f"answers are longer than max_answer_length ({self.max_answer_length} tokens) and cannot be found"),
        ]
        yield from (f"{count} {words}" for count, words in notes if count)

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        return question_features.encode(
            examples, tokenizer, max_input_length(self.max_length, tokenizer), self.doc_stride
        )

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        import torch
        from torch.nn import functional

        labels = batch["labels"]  # (B, 2)
        logits = torch.stack([outputs["start_logits"], outputs["end_logits"]], dim=1).float()  # (B, 2, L)
        total = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        return total / (labels.numel() if items is None else items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        search = Search(self.n_best_size, self.max_answer_length)
        choice = AnswerChoice(self.n_best_size, self._threshold)
        calibrate = (
            self._calibrated if self.version_2_with_negative and self.null_score_diff_threshold is None else None
        )
        if scores_only and "ece" not in self.metrics:
            return Postprocessor(search.first, _decoder(choice.answers), calibrate)
        return Postprocessor(search.best, _decoder(choice.predictions), calibrate)

    @property
    def _threshold(self) -> float | None:
        return (self.null_score_diff_threshold or 0.0) if self.version_2_with_negative else None

    def _calibrated(self, outputs: list[Any], split: EncodedSplit) -> Self:
        return self.with_threshold(self.postprocessor().decode(outputs, split), _references(split.examples))

    def with_threshold(self, predictions: list[Prediction], references: list[Any]) -> Self:
        """A copy with the null_score_diff_threshold that gives these predictions the highest F1, which was not given; 0
        where that gains nothing over 0."""
        from hf_tasks.metrics.squad import best_threshold, f1, mean_at

        best, threshold = best_threshold(predictions, references, f1)
        if mean_at(0.0, predictions, references, f1) >= best - 1e-9:
            threshold = 0.0
        return self.model_copy(update={"null_score_diff_threshold": threshold})

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        references = _references(examples)
        return MetricInputs(predictions, references, confidence=lambda: _confidence(predictions, references))


def _references(examples: "Dataset") -> list[Any]:
    """The texts of all right answers; none for a question without answer."""
    return [answers["text"] for answers in examples["answers"][:]]


def _confidence(predictions: list[Prediction], references: list[Any]) -> dict[str, Any]:
    """The probability of the answer among the n best, and whether it is an exact match."""
    from hf_tasks.metrics.squad import answers_of, best_over, exact

    pairs = zip(predictions, references, strict=True)
    right = [([row["score"]], [bool(best_over(exact, row["answer"], answers_of(r)))]) for row, r in pairs]
    return {"decisions": right}


def _decoder(choose: Callable[[Found, "Dataset"], list[Prediction]]) -> Decode:
    return lambda outputs, split: choose(Found.of(outputs, split), split.examples)


def _id(value: Any) -> str:
    if value is None or value == "":
        raise ValueError("the id is missing; give every question one, or none of them")
    return str(value)
