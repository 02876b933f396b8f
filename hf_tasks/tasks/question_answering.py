"""Extractive question answering: a question and a context to a span of the context, or to no answer.

    {"id": "56be4db0", "question": "Who won?", "context": "The Denver Broncos beat the Panthers.",
     "answers": {"text": ["Denver Broncos", "The Denver Broncos"], "answer_start": [4, 0]}}

Questions without an answer have empty lists and `"is_impossible": true`. The model is that of Devlin et al. 2019 (https://aclanthology.org/N19-1423):
one logit for each token as the start of the answer, one as its end; no answer is a span at the first token, [CLS].
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.errors import RecipeError
from hf_tasks.tasks.answers import cuts_a_word, misplaced, read_answers
from hf_tasks.tasks.base import Columns, DiscriminativeTask, Oddity, Row, Split, values
from hf_tasks.tasks.context_windows import (
    NO_ANSWER,
    PairTemplate,
    Stretches,
    answer_characters,
    characters,
    features,
    labels,
    pair_template,
    tokenized,
    windows,
)
from hf_tasks.tasks.spans import LOWEST, Candidates, Spans, Windows, best_spans, first_spans

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

NOTHING = {"text": "", "start": 0, "end": 0, "probability": 0.0}
LEAST_ADVANCE = 8
"""Tokens by which a window must advance at the least."""


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

    def unit(self) -> str:
        return "questions"

    def target_words(self) -> str:
        return "answers"

    def oddities(self, examples: "Dataset") -> Iterator[Oddity]:
        blank, cut = [], []
        for context, answers in values(examples, "context", "answers"):
            found = list(zip(answers["text"], answers["answer_start"], strict=True))
            blank.append(any(text != text.strip() for text, _ in found))
            cut.append(any(cuts_a_word(context, text, start) for text, start in found))
        if any(blank):
            yield Oddity(np.flatnonzero(blank).tolist(), "questions with blanks around an answer", "remove them")
        if any(cut):
            yield Oddity(
                np.flatnonzero(cut).tolist(), "questions with an answer that begins or ends inside a word",
                "let it begin and end where words do",
            )  # fmt: skip

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
        asked, which = tokenized([text.lstrip() for text in examples["question"]], tokenizer, offsets=False)
        contexts, text = tokenized(examples["context"], tokenizer, offsets=True)  # `which`, `text`: (E,)
        kept = np.minimum(asked.size(which), (size - self.doc_stride) // 2)
        example, begin, held = windows(contexts.size(text), size - kept, self.doc_stride)  # (N,)
        question = Stretches(asked.ids, asked.begin[which][example], kept[example])
        context = Stretches(contexts.ids, contexts.begin[text][example] + begin, held)
        columns = features(question, context, contexts.offsets, template)
        columns["example"] = example.tolist()
        columns["tokens_cut"] = np.where(begin == 0, (asked.size(which) - kept)[example], 0).tolist()
        if "answers" in examples:
            answer = np.array([answer_characters(answers) for answers in examples["answers"]])  # (E, 2)
            found = labels(contexts, text, answer, example, context)
            held, shift = found[:, 0] >= 0, np.array(columns["context_start"])
            columns["labels"] = list(np.where(held[:, None], found + shift[:, None], NO_ANSWER))
            lost = (answer[:, 1] > 0) & (np.bincount(example, held) == 0)
            columns["answer_lost"] = (lost[example] & (begin == 0)).astype(int).tolist()
        unread = {"token_type_ids"} - set(tokenizer.model_input_names)
        return {name: values for name, values in columns.items() if name not in unread}

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
        """(1 + K, 3) numbers: 0, 0 and the score of no answer; start and end characters and score of the best spans."""
        return self._items(best_spans, outputs, features)

    def _items(self, search: Callable[..., Spans], outputs: Any, features: Columns) -> list[Any]:
        start, end = (outputs[name].float().cpu().numpy() for name in ("start_logits", "end_logits"))  # (B, L)
        where = Windows(*(np.array(features[name], np.int32) for name in ("length", "context_start", "context_end")))
        spans = search(start, end, where, self.n_best_size, self.max_answer_length)
        window, k = np.nonzero(spans.score != LOWEST)  # each (M,)
        places = characters(features["offsets"], where, window, spans.start[window, k], spans.end[window, k])
        found = places[:, 0] < places[:, 1]  # a token may have no characters
        size = 1 + np.bincount(window[found], minlength=len(start))
        null = size.cumsum() - size  # where each item begins
        rows = np.zeros((size.sum(), 3))
        rows[null, 2] = start[:, NO_ANSWER] + end[:, NO_ANSWER]
        rest = np.ones(len(rows), bool)
        rest[null] = False
        rows[rest] = np.column_stack([places, spans.score[window, k]])[found]
        return [rows[begin : begin + n] for begin, n in zip(null.tolist(), size.tolist(), strict=True)]

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        spans, nulls, differences = _gathered(outputs, split)
        if self.version_2_with_negative:
            spans = spans.with_empty(nulls)
        spans, probabilities = spans.n_best(max(self.n_best_size, 2 if self.version_2_with_negative else 1))
        contexts = split.examples["context"][:]
        places = zip(spans.example.tolist(), *spans.characters.T.tolist(), probabilities.tolist(), strict=True)
        entries = [{"text": contexts[i][s:e], "start": s, "end": e, "probability": p} for i, s, e, p in places]
        bounds = pairwise(spans.example.searchsorted(np.arange(len(nulls) + 1)).tolist())
        examples = zip(_names(split.examples), bounds, differences.tolist(), self._refused(differences), strict=True)
        return [
            {"id": name} | self._prediction(entries[begin:end], difference, none)
            for name, (begin, end), difference, none in examples
        ]

    def _prediction(self, nbest: list[Row], difference: float, none: bool) -> Row:
        """`difference`: the score of no answer minus that of the best span; `none`: no answer is given."""
        chosen = next((entry for entry in nbest if (not entry["text"]) == none), (nbest or [NOTHING])[0])
        row = {"answer": chosen["text"], "start": chosen["start"], "end": chosen["end"], "score": chosen["probability"]}
        if self.version_2_with_negative:
            row["null_score_diff"] = difference
        return row | {"nbest": nbest}

    def _refused(self, differences: np.ndarray) -> list[bool]:
        """Whether each question gets no answer, by the null score differences (E,)."""
        threshold = (self.null_score_diff_threshold or 0.0) if self.version_2_with_negative else np.inf
        return (differences > threshold).tolist()  # type: ignore[no-any-return]

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
        """A copy with the null_score_diff_threshold that gives these predictions the highest F1; it was not given."""
        from hf_tasks.metrics.squad import best_threshold, f1

        _, threshold = best_threshold(predictions, references, f1)
        return self.model_copy(update={"null_score_diff_threshold": threshold})


class _BestAnswer(QuestionAnswering):
    """Predictions with the same answers and null score differences, and nothing else that no metric reads."""

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        items = self._items(first_spans, outputs, features)
        if unsure := [i for i, item in enumerate(items) if len(item) == 1]:
            again = {name: outputs[name][unsure] for name in ("start_logits", "end_logits")}
            columns = {name: [values[i] for i in unsure] for name, values in features.items()}
            for i, item in zip(unsure, super().reduce(again, columns), strict=True):
                items[i] = item[:2]
        return items

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        spans, _, differences = _gathered(outputs, split)
        best, _ = spans.n_best(1)
        places = np.zeros((len(differences), 2), np.int64)
        places[best.example] = best.characters
        contexts = split.examples["context"][:]
        texts = [context[start:end] for context, (start, end) in zip(contexts, places.tolist(), strict=True)]
        if not self.version_2_with_negative:
            return [{"answer": text} for text in texts]
        return [
            {"answer": "" if none else text, "null_score_diff": difference, "nbest": [{"text": text}]}
            for text, difference, none in zip(texts, differences.tolist(), self._refused(differences), strict=True)
        ]


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


def _gathered(outputs: list[Any], split: Split) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """The spans of all windows; for each example the score of no answer (E,), the least of its windows', as in
    run_qa.py: all windows must agree that there is none; and that score less the best span's (E,), 0 without spans."""
    rows = np.concatenate(outputs)  # (M + N, 3)
    size = np.fromiter(map(len, outputs), np.int64, len(outputs))
    of_window, null = np.array(split.features["example"][:]), size.cumsum() - size
    nulls = np.full(len(split.examples), np.inf, np.float32)
    np.minimum.at(nulls, of_window, rows[null, 2].astype(np.float32))
    spans = np.delete(rows, null, axis=0)
    candidates = Candidates(
        spans[:, :2].astype(np.int64), spans[:, 2].astype(np.float32), np.repeat(of_window, size - 1), len(nulls)
    )
    best = candidates.best()
    return candidates, nulls, np.where(best > LOWEST, nulls - best, 0.0).astype(float)
