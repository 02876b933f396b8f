"""Questions and contexts to features: windows that a model reads, and where in them the answers are."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core.errors import RecipeError
from hf_tasks.tasks.types import Examples, Features
from hf_tasks.tasks.windows import Stretches, Template, Tokens, template, tokenized, windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_ANSWER = 0
"""The token that stands for no answer: the first one, [CLS]."""
LEAST_ADVANCE = 8
"""Tokens by which a window must advance at the least."""


def encode(examples: Examples, tokenizer: "PreTrainedTokenizerBase", limit: int, doc_stride: int) -> Features:
    """As `Task.encode`; where the context is, `context_start` to `context_end`, and the `offsets` of its tokens, as
    bytes; `answer_lost`: whether the answer of an example is in none of its windows as a whole, 1 in one of them.
    Windows have `limit` tokens, `doc_stride` in common."""
    layout, size = _layout(tokenizer, limit, doc_stride)
    asked, which = tokenized([text.lstrip() for text in examples["question"]], tokenizer, offsets=False)
    contexts, text = tokenized(examples["context"], tokenizer, offsets=True)  # `which`, `text`: (E,)
    kept = np.minimum(asked.size(which), (size - doc_stride) // 2)
    example, begin, held = windows(contexts.size(text), size - kept, doc_stride)  # (N,)
    question = Stretches(asked.ids, asked.begin[which][example], kept[example])
    context = Stretches(contexts.ids, contexts.begin[text][example] + begin, held)
    columns = layout.features(question, context)
    shift = np.asarray(layout.begin(question.size))
    columns |= {"context_start": shift.tolist(), "context_end": (shift + context.size).tolist()}
    stretches = zip(context.begin.tolist(), context.end.tolist(), strict=True)
    columns["offsets"] = [contexts.offsets[a:b].tobytes() for a, b in stretches]  # bytes: Arrow reads them at no cost
    columns["example"] = example.tolist()
    columns["tokens_cut"] = np.where(begin == 0, (asked.size(which) - kept)[example], 0).tolist()
    if "answers" in examples:
        answer = np.array([answer_characters(answers) for answers in examples["answers"]])  # (E, 2)
        found = labels(contexts, text, answer, example, context)
        held = found[:, 0] >= 0
        columns["labels"] = list(np.where(held[:, None], found + shift[:, None], NO_ANSWER))
        lost = (answer[:, 1] > 0) & (np.bincount(example, held) == 0)
        columns["answer_lost"] = (lost[example] & (begin == 0)).astype(int).tolist()
    unread = {"token_type_ids"} - set(tokenizer.model_input_names)
    return {name: values for name, values in columns.items() if name not in unread}


def _layout(tokenizer: "PreTrainedTokenizerBase", limit: int, doc_stride: int) -> tuple[Template, int]:
    """What stands around question and context, and how many tokens are left for both."""
    if not tokenizer.is_fast:
        raise RecipeError("model.name_or_path: its tokenizer gives no character offsets; choose a fast tokenizer")
    if tokenizer.padding_side != "right":
        raise RecipeError("model.name_or_path: its tokenizer pads on the left; choose one that pads on the right")
    layout = template(tokenizer, 2)
    size = limit - layout.special_tokens
    if size - doc_stride < LEAST_ADVANCE:
        text = f"windows of {limit} tokens cannot overlap by {doc_stride}; give at most {limit // 3}"
        raise RecipeError(f"task.doc_stride: {text}")
    return layout, size


def positions(tokens: Tokens, text: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """(E, 2) the first and last token, in `tokens`, of the characters [start, end) (E, 2) of texts (E,)."""
    longest = 1 + max(tokens.offsets.max(initial=0), characters.max(initial=0))
    of_token = np.repeat(np.arange(len(tokens.begin) - 1), np.diff(tokens.begin)) * longest
    wanted = characters + text[:, None] * longest
    first = (tokens.offsets[:, 0] + of_token).searchsorted(wanted[:, 0], side="right") - 1
    return np.column_stack([first, (tokens.offsets[:, 1] + of_token).searchsorted(wanted[:, 1], side="left")])


def answer_characters(answers: dict[str, list[Any]]) -> tuple[int, int]:
    """The characters [start, end) of the first answer without the blanks around it; (0, 0): there is none."""
    for text, start in zip(answers["text"][:1], answers["answer_start"], strict=False):
        begin = start + len(text) - len(text.lstrip())
        return begin, begin + len(text.strip())
    return 0, 0


def labels(tokens: Tokens, text: np.ndarray, answer: np.ndarray, example: np.ndarray, context: Stretches) -> np.ndarray:
    """(N, 2) the first and last token of its answer in each window's context, -1 where it does not hold all of it.
    `text`, `answer`: the text (E,) of each example and the characters [start, end) of its answer (E, 2); `example`,
    `context`: the example of each window (N,), and what it holds of `tokens`."""
    wanted, characters = positions(tokens, text, answer)[example], answer[example]
    found = np.full((len(example), 2), -1)
    held = np.flatnonzero((context.size > 0) & (characters[:, 0] < characters[:, 1]))
    begin, last = context.begin[held], context.end[held] - 1
    starts, ends = tokens.offsets[begin, 0], tokens.offsets[last, 1]
    whole = (starts <= characters[held, 0]) & (characters[held, 1] <= ends)
    held, begin, last = held[whole], begin[whole], last[whole]
    found[held, 0] = np.minimum(wanted[held, 0], last) - begin
    found[held, 1] = np.maximum(wanted[held, 1], begin) - begin
    return found
