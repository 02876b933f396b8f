"""Extractive question answering: a question and a context to a span of the context, or to no answer.

    {"id": "56be4db0", "question": "Who won?", "context": "The Denver Broncos beat the Panthers.",
     "answers": {"text": ["Denver Broncos", "The Denver Broncos"], "answer_start": [4, 0]}}

Questions without an answer have empty lists and `"is_impossible": true`. The model is that of Devlin et al. 2019 (https://aclanthology.org/N19-1423):
one logit for each token as the start of the answer, one as its end; no answer is a span at the first token, [CLS].
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from hf_tasks.tasks import question_features
from hf_tasks.tasks.answer_choice import Choice
from hf_tasks.tasks.answer_search import Found, Search
from hf_tasks.tasks.answers import misplaced, odd_answers, read_answers
from hf_tasks.tasks.base import DiscriminativeTask
from hf_tasks.tasks.data_facts import Oddity
from hf_tasks.tasks.examples import Columns, Row, Split, is_blank

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


class QuestionAnswering(DiscriminativeTask):
    auto_model: ClassVar[str] = "AutoModelForQuestionAnswering"
    inputs: ClassVar[tuple[str, ...]] = ("question", "context")
    optional: ClassVar[tuple[str, ...]] = ("id", "answer_start", "is_impossible")
    targets: ClassVar[tuple[str, ...]] = ("answers", "answer_text")
    grouped_by: ClassVar[str] = "context"
    aliases: ClassVar[dict[str, str]] = {
        "passage": "context", "paragraph": "context", "query": "question", "qid": "id", "answer": "answer_text",
    }  # fmt: skip

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
    """No answer is predicted where its score exceeds that of the best span by more; tuned on the validation part for
    the highest F1 where it is not given."""

    @property
    def tunable(self) -> bool:
        return bool(self.version_2_with_negative) and self.null_score_diff_threshold is None

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.doc_stride > self.max_length - 2 * question_features.LEAST_ADVANCE:
            text = f"windows of {self.max_length} tokens cannot overlap by {self.doc_stride}"
            yield ("doc_stride",), f"{text}; give at most {self.max_length // 2}"
        if self.version_2_with_negative is False and self.null_score_diff_threshold is not None:
            yield ("null_score_diff_threshold",), "every question gets an answer, there is nothing to decide; remove it"

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        if labelled and "answer_text" in columns and not {"answers", "answer_start"} & set(columns):
            return 'column "answer_start"'
        return super().missing(columns, labelled)

    def example(self, row: Row) -> Row:
        example: Row = {"id": _id(row["id"])} if "id" in row else {}
        example |= {name: _text(row[name], name) for name in self.inputs}
        if any(name in row for name in self.targets):
            example["answers"] = read_answers(row, unmarked=bool(self.version_2_with_negative))
        return example

    def resolve(self, train: "Dataset") -> Self:
        negative = self.version_2_with_negative
        if negative is None:
            negative = any(not answers["text"] for answers in train["answers"][:])
        metrics = self.metrics or (("squad_v2",) if negative else ("squad",))
        return self.model_copy(update={"version_2_with_negative": negative, "metrics": metrics})

    def check(self, example: Row) -> Iterator[str]:
        for name in self.inputs:
            if is_blank(example[name]):
                yield f"the {name} is empty; write it or remove the row"
        answers = example["answers"]
        where = f' (question "{example["id"]}")' if "id" in example else ""
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            if problem := misplaced(example["context"], text, start):
                yield problem + where
            elif not text.strip():
                yield f"an answer is blank; mend or remove it{where}"

    def check_all(self, examples: "Dataset") -> Iterator[tuple[int, str]]:
        seen: set[str] = set()
        for row, name in enumerate(examples["id"][:] if "id" in examples.column_names else ()):
            if name in seen:
                yield row, f'an earlier question has the id "{name}" too; give each its own'
            seen.add(name)

    def strata(self, example: Row) -> tuple[str, ...]:
        return ("answer",) if example["answers"]["text"] else ("no answer",)

    def unit(self) -> str:
        return "questions"

    def target_words(self) -> str:
        return "answers"

    def oddities(self, examples: "Dataset") -> Iterator[Oddity]:
        return odd_answers(examples)

    def summary(self, split: Split) -> list[str]:
        if "answers" not in split.examples.column_names:
            return []
        none = sum(1 for answers in split.examples["answers"][:] if not answers["text"])
        lost = sum(split.features["answer_lost"][:])
        spans = zip(split.features["example"][:], split.features["labels"][:], strict=True)
        long = len({example for example, (first, last) in spans if last - first >= self.max_answer_length})
        notes = [
            (none, "questions have no answer"),
            (lost, "answers lie in no window as a whole and cannot be learned; raise doc_stride"),
            (long, f"answers are longer than max_answer_length ({self.max_answer_length} tokens) and cannot be found"),
        ]
        return [f"{count} {words}" for count, words in notes if count]

    # -- from examples to features

    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        return question_features.encode(examples, tokenizer, self.limit(tokenizer), self.doc_stride)

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        import torch
        from torch.nn import functional

        logits = torch.stack([outputs["start_logits"], outputs["end_logits"]], dim=1).float()  # (B, 2, L)
        items = labels.numel() if num_items_in_batch is None else num_items_in_batch
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / items

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        return self._search.best(outputs, features)

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        return self._choice.predictions(Found.of(outputs, split), split.examples)

    @property
    def _search(self) -> Search:
        return Search(self.n_best_size, self.max_answer_length)

    @property
    def _choice(self) -> Choice:
        threshold = (self.null_score_diff_threshold or 0.0) if self.version_2_with_negative else None
        return Choice(self.n_best_size, threshold)

    def references(self, examples: "Dataset") -> list[Any]:
        """The texts of all right answers; none for a question without answer."""
        return [answers["text"] for answers in examples["answers"][:]]

    def answer(self, prediction: Row) -> Any:
        return prediction

    def confidence(self, predictions: list[Row], references: list[Any]) -> dict[str, Any]:
        """The probability of the answer among the n best, and whether it is an exact match."""
        from hf_tasks.metrics.squad import answers_of, best_over, exact

        pairs = zip(predictions, references, strict=True)
        right = [([row["score"]], [bool(best_over(exact, row["answer"], answers_of(r)))]) for row, r in pairs]
        return {"decisions": right}

    def for_scores(self) -> DiscriminativeTask:
        if "ece" in self.metrics:
            return self
        return _BestAnswer.model_construct(self.model_fields_set, **dict(self))

    def tune(self, outputs: list[Any], split: Split) -> Self:
        return self.with_threshold(self.decode(outputs, split), self.references(split.examples))

    def with_threshold(self, predictions: list[Row], references: list[Any]) -> Self:
        """A copy with the null_score_diff_threshold that gives these predictions the highest F1, which was not given; 0
        where that gains nothing over 0."""
        from hf_tasks.metrics.squad import best_threshold, f1, mean_at

        best, threshold = best_threshold(predictions, references, f1)
        if mean_at(0.0, predictions, references, f1) >= best - 1e-9:
            threshold = 0.0
        return self.model_copy(update={"null_score_diff_threshold": threshold})


class _BestAnswer(QuestionAnswering):
    """Its predictions have what metrics read and nothing else."""

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        return self._search.first(outputs, features)

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        return self._choice.answers(Found.of(outputs, split), split.examples)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    problem = "missing" if value is None else f"not text but {value!r}"
    raise ValueError(f"the {name} is {problem}; write it or remove the row")


def _id(value: Any) -> str:
    if value is None or value == "":
        raise ValueError("the id is missing; give every question one, or none of them")
    return str(value)
