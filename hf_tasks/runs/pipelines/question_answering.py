"""Extractive question answering with the arguments and return values of transformers 4's pipeline.

>>> ask = pipeline("question-answering", model="deepset/roberta-base-squad2")
>>> ask(question="Who won?", context="The Denver Broncos beat the Panthers.")
{"score": 0.98, "start": 4, "end": 18, "answer": "Denver Broncos"}
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hf_tasks.core.errors import DataError
from hf_tasks.runs.pipelines.arguments import check_names, in_chunks
from hf_tasks.runs.pipelines.checkpoint import Checkpoint
from hf_tasks.tasks import QuestionAnswering
from hf_tasks.tasks.question_answering.probable_answers import Ranking, Window
from hf_tasks.tasks.types import Examples

INPUTS = ("question", "context", "data", "X")
RANKING = ("top_k", "max_answer_len", "handle_impossible_answer")
WINDOWS = ("max_seq_len", "doc_stride")
UNUSED = ("max_question_len", "padding", "num_workers")
"""Arguments of transformers 4 without an effect on answers: it did not use max_question_len with fast tokenizers."""
OPTIONS = (*RANKING, *WINDOWS, "align_to_words", "batch_size", *UNUSED)
BATCH_SIZE = 64
"""Windows per batch."""


class QuestionAnsweringPipeline:
    """Answers questions about contexts; the keyword arguments of the constructor are defaults of those of a call."""

    task = "question-answering"

    def __init__(self, checkpoint: Checkpoint, **defaults: Any) -> None:
        self.model, self.tokenizer, self._run = checkpoint.model, checkpoint.tokenizer, checkpoint.run
        self._defaults = self._checked(defaults)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer one question or several: {"score", "start", "end", "answer"}; a list of them if `top_k` is above 1.

        `question`, `context`: a string or a list of strings each; or as the only argument a dict with both, a list of
        dicts, or another iterable of dicts, whose answers are an iterator. `top_k` (1): answers, best first.
        `max_answer_len` (15), `max_seq_len` (384), `doc_stride` (128): lengths of answers and windows in tokens, and
        what two windows share. `handle_impossible_answer` (False): the empty answer competes. `align_to_words` (True):
        answers are whole words. `batch_size` (64): windows. Raises DataError.
        """
        given = {name: kwargs.pop(name) for name in (*kwargs,) if name in INPUTS}
        options = self._defaults | self._checked(kwargs)
        inputs, several = _inputs(args, given)
        if several is None:
            return (one for chunk in in_chunks(inputs, BATCH_SIZE) for one in self._answers(chunk, options))
        found = self._answers(list(inputs), options)
        return found if several else found[0]

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options without those that are None. Raises DataError."""
        options = {("top_k" if name == "topk" else name): value for name, value in options.items() if value is not None}
        check_names(options, OPTIONS)
        for name in ("top_k", "max_answer_len", "batch_size"):
            if options.get(name, 1) < 1:
                raise DataError(f"{name}: must be 1 or more; found {options[name]}")
        return options

    def _answers(self, rows: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
        examples = {name: [_text(row, name) for row in rows] for name in ("question", "context")}
        if not rows:
            return []
        windows = self._windows(examples, options)
        words = self._words(examples["context"]) if options.get("align_to_words", True) else {}
        ranking = Ranking(**{name: options[name] for name in RANKING if name in options})
        found = [
            ranking.answers(context, of_one, words.get(context))
            for context, of_one in zip(examples["context"], windows, strict=True)
        ]
        return [answers[0] if len(answers) == 1 else answers for answers in found]

    def _windows(self, examples: Examples, options: Mapping[str, Any]) -> list[list[Window]]:
        """The windows of each example with their logits."""
        features = self._task(options).encode(examples, self.tokenizer)
        starts, ends = self._logits(features, options.get("batch_size", BATCH_SIZE))
        windows: list[list[Window]] = [[] for _ in examples["context"]]
        for i, example in enumerate(features["example"]):
            offsets = np.frombuffer(features["offsets"][i], np.int32).reshape(-1, 2)
            has_null = int(features["input_ids"][i][0]) == self.tokenizer.cls_token_id
            windows[example].append(Window(starts[i], ends[i], features["context_start"][i], offsets, has_null))
        return windows

    def _task(self, options: Mapping[str, Any]) -> QuestionAnswering:
        """The lengths of windows: those of the call, of the run, or the defaults of transformers 4."""
        task = self._run.recipe.task if self._run else None
        if isinstance(task, QuestionAnswering) and not any(name in options for name in WINDOWS):
            return task
        longest = options.get("max_seq_len", min(self.tokenizer.model_max_length, 384))
        stride = options.get("doc_stride", min(longest // 2, 128))
        return QuestionAnswering.model_construct(name="question-answering", max_length=longest, doc_stride=stride)

    def _logits(self, features: Examples, batch_size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Start and end logits (L,) of each window; batches of like length, longest first."""
        import torch

        from hf_tasks.tasks.collate import PaddingCollator

        names = [name for name in self.tokenizer.model_input_names if name in features]
        order = sorted(range(len(features["length"])), key=lambda i: -features["length"][i])
        collate, starts, ends = PaddingCollator(self.tokenizer), [np.empty(0)] * len(order), [np.empty(0)] * len(order)
        for begin in range(0, len(order), batch_size):
            rows = order[begin : begin + batch_size]
            batch = collate([{name: features[name][i].tolist() for name in names} for i in rows])
            with torch.inference_mode():
                output = self.model(**{name: tensor.to(self.model.device) for name, tensor in batch.items()})
            for logits, kept in ((output["start_logits"], starts), (output["end_logits"], ends)):
                for i, row in zip(rows, logits.float().cpu().numpy(), strict=True):
                    kept[i] = row
        return starts, ends

    def _words(self, contexts: Iterable[str]) -> dict[str, np.ndarray]:
        """The characters (W, 2) of the tokenizer's words in each context."""
        distinct = list(dict.fromkeys(contexts))
        backend = self.tokenizer.backend_tokenizer
        backend.no_truncation()
        encodings = backend.encode_batch(distinct, add_special_tokens=False)
        return {text: _word_bounds(encoding) for text, encoding in zip(distinct, encodings, strict=True)}


def _word_bounds(encoding: Any) -> np.ndarray:
    """(W, 2) the characters [start, end) of each word of an encoding."""
    bounds: dict[int, list[int]] = {}
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if word is not None:
            bounds.setdefault(word, [start, end])[1] = end
    return np.array(list(bounds.values()), np.int64).reshape(-1, 2)


def _inputs(args: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Iterable[Any], bool | None]:
    """The rows of a call, and whether the answers are a list; None: an iterator."""
    match args, given:
        case (), {"question": question, "context": context}:
            return _paired(question, context)
        case (str() as question, str() as context), _ if not given:
            return _paired(question, context)
        case (inputs,), _ if not given:
            pass
        case (), {"data": inputs} | {"X": inputs}:
            pass
        case _:
            raise DataError('give question="..." and context="...", or dicts with both')
    if isinstance(inputs, Mapping):
        return _paired(inputs.get("question"), inputs.get("context"))
    if isinstance(inputs, list | tuple):
        return inputs, len(inputs) != 1
    if isinstance(inputs, Iterable) and not isinstance(inputs, str):
        return inputs, None
    raise DataError(f'a dict with "question" and "context" was expected; found {type(inputs).__name__}')


def _paired(question: Any, context: Any) -> tuple[list[Any], bool]:
    """The rows, and whether there are several; one context can belong to all questions."""
    questions = question if isinstance(question, list) else [question]
    contexts = context if isinstance(context, list) else [context] * len(questions)
    if len(questions) != len(contexts):
        raise DataError(f"{len(questions)} questions, but {len(contexts)} contexts; give as many, or one context")
    return [{"question": q, "context": c} for q, c in zip(questions, contexts, strict=True)], len(questions) != 1


def _text(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, Mapping) else getattr(row, f"{name}_text", None)
    if not isinstance(value, str) or not value:
        problem = "is empty" if value == "" else f"is not a string but {value!r}"
        raise DataError(f'the {name} {problem}; give a row {{"question": "...", "context": "..."}}')
    return value
