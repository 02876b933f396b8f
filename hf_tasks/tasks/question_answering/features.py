"""Questions and contexts to features: windows that a model reads, and where in them the answers are."""

from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.core.errors import RecipeError
from hf_tasks.tasks.context_windows import (
    NO_ANSWER,
    PairTemplate,
    Stretches,
    answer_characters,
    features,
    labels,
    pair_template,
    tokenized,
    windows,
)
from hf_tasks.tasks.types import Examples, Features

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAST_ADVANCE = 8
"""Tokens by which a window must advance at the least."""


def encode(examples: Examples, tokenizer: "PreTrainedTokenizerBase", limit: int, doc_stride: int) -> Features:
    """As `Task.encode`, and `context_start`, `context_end`, `offsets`; `answer_lost`: whether the answer of an example
    is in none of its windows as a whole, 1 in one of them. Windows have `limit` tokens, `doc_stride` in common."""
    template, size = _layout(tokenizer, limit, doc_stride)
    asked, which = tokenized([text.lstrip() for text in examples["question"]], tokenizer, offsets=False)
    contexts, text = tokenized(examples["context"], tokenizer, offsets=True)  # `which`, `text`: (E,)
    kept = np.minimum(asked.size(which), (size - doc_stride) // 2)
    example, begin, held = windows(contexts.size(text), size - kept, doc_stride)  # (N,)
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


def _layout(tokenizer: "PreTrainedTokenizerBase", limit: int, doc_stride: int) -> tuple[PairTemplate, int]:
    """What stands around question and context, and how many tokens are left for both."""
    if not tokenizer.is_fast:
        raise RecipeError("model.name_or_path: its tokenizer knows no character offsets; choose one that is fast")
    if tokenizer.padding_side != "right":
        raise RecipeError("model.name_or_path: its tokenizer pads on the left; choose one that pads on the right")
    template = pair_template(tokenizer)
    size = limit - template.special_tokens
    if size - doc_stride < LEAST_ADVANCE:
        text = f"windows of {limit} tokens cannot overlap by {doc_stride}; give at most {limit // 3}"
        raise RecipeError(f"task.doc_stride: {text}")
    return template, size
