"""Extractive question answering: a question and a context to a span of the context, or to no answer.

    {"id": "56be4db0", "question": "Who won?", "context": "The Denver Broncos beat the Panthers.",
     "answers": {"text": ["Denver Broncos", "The Denver Broncos"], "answer_start": [4, 0]}}

Questions without an answer have empty lists. The model is that of Devlin et al. 2019 (https://aclanthology.org/N19-1423):
one logit for each token as the start of the answer, one as its end; no answer is a span at the first token, [CLS].
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.errors import RecipeError
from hf_tasks.tasks.answers import misplaced, read_answers
from hf_tasks.tasks.base import Columns, DiscriminativeTask, Row, Split
from hf_tasks.tasks.context_windows import (
    NO_ANSWER,
    PairTemplate,
    characters,
    feature,
    label,
    pair_template,
    token_ids,
    tokenized,
    windows,
)
from hf_tasks.tasks.spans import Candidates, Windows, best_spans, first_spans

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

NOTHING = {"text": "", "start": 0, "end": 0, "probability": 0.0}
LEAST_ADVANCE = 8
"""Tokens by which a window must advance at the least."""


class QuestionAnswering(DiscriminativeTask):
    auto_model: ClassVar[str] = "AutoModelForQuestionAnswering"
    tunable: ClassVar[bool] = True
    listed: ClassVar[int | None] = None
    """Spans that a prediction lists; None: `n_best_size`."""
    inputs: ClassVar[tuple[str, ...]] = ("question", "context")
    optional: ClassVar[tuple[str, ...]] = ("id", "answer_start", "is_impossible")
    targets: ClassVar[tuple[str, ...]] = ("answers", "answer_text")
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
    """Whether "no answer" is a possible prediction; where it is not given: whether any training question has none."""
    null_score_diff_threshold: float | None = None
    """No answer is predicted where its score exceeds that of the best span by more; tuned on the validation part for
    the highest F1 where it is not given."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.doc_stride > self.max_length - 2 * LEAST_ADVANCE:
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
            example["answers"] = read_answers(row)
        return example

    def resolve(self, train: "Dataset") -> Self:
        negative = self.version_2_with_negative
        if negative is None:
            negative = any(not answers["text"] for answers in train["answers"][:])
        metrics = self.metrics or (("squad_v2",) if negative else ("squad",))
        return self.model_copy(update={"version_2_with_negative": negative, "metrics": metrics})

    def check(self, example: Row) -> Iterator[str]:
        for name in self.inputs:
            if not example[name].strip():
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

    def stratum(self, example: Row) -> str:
        return "answer" if example["answers"]["text"] else "no answer"

    def group(self, example: Row) -> str:
        return str(example["context"])

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
        template, size = self._layout(tokenizer)
        questions, contexts = [question.lstrip() for question in examples["question"]], examples["context"]
        of_question, of_context = token_ids(questions, tokenizer), tokenized(contexts, tokenizer)
        answers = examples.get("answers") or [None] * len(contexts)
        rows: list[Row] = []
        for i, (question, context, answer) in enumerate(zip(questions, contexts, answers, strict=True)):
            asked = of_question[question]
            kept = asked[: (size - self.doc_stride) // 2]
            reads = list(windows(of_context[context], size - len(kept), self.doc_stride))
            found = [feature(kept, read, template) | {"example": i, "tokens_cut": 0} for read in reads]
            found[0]["tokens_cut"] = len(asked) - len(kept)
            if answer is not None:
                label(found, reads, answer)
            rows += found
        unread = {"token_type_ids"} - set(tokenizer.model_input_names)
        return {name: [row[name] for row in rows] for name in rows[0] if name not in unread}

    def _layout(self, tokenizer: "PreTrainedTokenizerBase") -> tuple[PairTemplate, int]:
        """What stands around question and context, and how many tokens are left for both."""
        if not tokenizer.is_fast:
            raise RecipeError("model.name_or_path: its tokenizer knows no character offsets; choose one that is fast")
        if tokenizer.padding_side != "right":
            raise RecipeError("model.name_or_path: its tokenizer pads on the left; choose one that pads on the right")
        template, limit = pair_template(tokenizer), self.limit(tokenizer)
        size = limit - template.special_tokens
        if size - self.doc_stride < LEAST_ADVANCE:
            text = f"windows of {limit} tokens cannot overlap by {self.doc_stride}; give at most {limit // 3}"
            raise RecipeError(f"task.doc_stride: {text}")
        return template, size

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        import torch
        from torch.nn import functional

        logits = torch.stack([outputs["start_logits"], outputs["end_logits"]], dim=1).float()  # (B, 2, L)
        items = labels.numel() if num_items_in_batch is None else num_items_in_batch
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / items

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        """(first tokens, last tokens, scores) of the best spans, each (K,), and the score of no answer (1,)."""
        start, end = outputs["start_logits"].float(), outputs["end_logits"].float()  # (B, L)
        where = Windows(*(np.array(features[name]) for name in ("length", "context_start", "context_end")))
        spans = best_spans(start, end, where, self.n_best_size, self.max_answer_length)
        null = (start[:, NO_ANSWER] + end[:, NO_ANSWER]).cpu().numpy()  # (B,)
        found = np.isfinite(spans.score).sum(axis=1).tolist()
        return [
            (spans.start[i, :n], spans.end[i, :n], spans.score[i, :n], null[i : i + 1]) for i, n in enumerate(found)
        ]

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        spans, nulls = _gathered(outputs, split)
        best = spans.best()
        differences = np.where(np.isfinite(best), nulls - best, 0.0).astype(float).tolist()
        if self.version_2_with_negative:
            spans = spans.with_empty(nulls)
        listed = self.listed or self.n_best_size
        spans, probabilities = spans.n_best(max(listed, 2 if self.version_2_with_negative else 1))
        bounds = pairwise(spans.example.searchsorted(np.arange(len(nulls) + 1)).tolist())
        columns = (spans.characters[:, 0].tolist(), spans.characters[:, 1].tolist(), probabilities.tolist())
        rows = []
        examples = zip(_names(split.examples), split.examples["context"][:], bounds, differences, strict=True)
        for name, context, (begin, end), difference in examples:
            found = zip(*(column[begin:end] for column in columns), strict=True)
            nbest = [{"text": context[s:e], "start": s, "end": e, "probability": p} for s, e, p in found]
            rows.append({"id": name} | self._prediction(nbest, difference))
        return rows

    def _prediction(self, nbest: list[Row], difference: float) -> Row:
        """`difference`: the score of no answer minus that of the best span."""
        none = bool(self.version_2_with_negative) and difference > (self.null_score_diff_threshold or 0.0)
        chosen = next((entry for entry in nbest if (not entry["text"]) == none), (nbest or [NOTHING])[0])
        row = {"answer": chosen["text"], "start": chosen["start"], "end": chosen["end"], "score": chosen["probability"]}
        if self.version_2_with_negative:
            row["null_score_diff"] = difference
        return row | {"nbest": nbest}

    def references(self, examples: "Dataset") -> list[Any]:
        """The texts of all right answers; none for a question without answer."""
        return [answers["text"] for answers in examples["answers"][:]]

    def answer(self, prediction: Row) -> Any:
        return prediction

    def for_scores(self) -> DiscriminativeTask:
        return _BestAnswer.model_construct(self.model_fields_set, **dict(self))

    def tune(self, predictions: list[Row], references: list[Any]) -> Self:
        if not self.version_2_with_negative or self.null_score_diff_threshold is not None:
            return self
        from hf_tasks.metrics.squad import best_threshold, f1

        _, threshold = best_threshold(predictions, references, f1)
        return self.model_copy(update={"null_score_diff_threshold": threshold})


class _BestAnswer(QuestionAnswering):
    """Predictions with the same answers, without the lists of others."""

    listed: ClassVar[int | None] = 1

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        start, end = (outputs[name].float().cpu().numpy() for name in ("start_logits", "end_logits"))  # (B, L)
        where = Windows(*(np.array(features[name]) for name in ("length", "context_start", "context_end")))
        spans = first_spans(start, end, where, self.n_best_size, self.max_answer_length)
        columns = (*vars(spans).values(), start[:, [NO_ANSWER]] + end[:, [NO_ANSWER]])  # each (B, 1)
        items = list(zip(*columns, strict=True))
        for row in np.flatnonzero(np.isneginf(spans.score[:, 0])):
            items[row] = (*(column[row, :0] for column in columns[:3]), columns[3][row])
        return items


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    problem = "missing" if value is None else f"not text but {value!r}"
    raise ValueError(f"the {name} is {problem}; write it or remove the row")


def _id(value: Any) -> str:
    if value is None or value == "":
        raise ValueError("the id is missing; give every question one, or none of them")
    return str(value)


def _names(examples: "Dataset") -> list[str]:
    """The ids of the examples; their numbers where they have none."""
    if "id" in examples.column_names:
        return list(examples["id"][:])
    return [str(number) for number in range(1, len(examples) + 1)]


def _gathered(outputs: list[Any], split: Split) -> tuple[Candidates, np.ndarray]:
    """The spans of all windows; and for each example the score of no answer (E,), the least of its windows', as in
    run_qa.py: all windows must agree that there is none."""
    starts, ends, scores, null = (np.concatenate(column) for column in zip(*outputs, strict=True))
    window = np.repeat(np.arange(len(outputs)), [len(item[0]) for item in outputs])
    example = np.array(split.features["example"][:])
    nulls = np.full(len(split.examples), np.inf, null.dtype)
    np.minimum.at(nulls, example, null)
    spans = Candidates(characters(split.features, window, starts, ends), scores, example[window], len(nulls))
    return spans.select(spans.characters[:, 0] < spans.characters[:, 1]), nulls
