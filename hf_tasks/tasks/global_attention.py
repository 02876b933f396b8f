"""The global attention of features, for models that read it (Longformer, LED).

features (input_ids, for questions also context_start) -> a column `global_attention_mask`, shaped as input_ids
"""

from typing import TYPE_CHECKING, Any

from hf_tasks.tasks.types import GLOBAL_ATTENTION, Features, Traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def with_global_attention(features: Features, traits: Traits, tokenizer: "PreTrainedTokenizerBase") -> Features:
    """The features with the column if the tokenizer names it among the model's inputs, else as they are."""
    if GLOBAL_ATTENTION not in tokenizer.model_input_names:
        return features
    inputs = features["input_ids"]
    match traits.global_attention:
        case "first":
            column = [_first(ids) for ids in inputs]
        case "question":
            column = [_ones(0, end, len(ids)) for ids, end in zip(inputs, features["context_start"], strict=True)]
        case "second text":
            separator = tokenizer.sep_token_id
            column = [[_ones(list(ids).index(separator) + 1, len(ids), len(ids)) for ids in row] for row in inputs]
        case "none":
            column = [[0] * len(ids) for ids in inputs]
    return features | {GLOBAL_ATTENTION: column}


def _ones(begin: int, end: int, length: int) -> list[int]:
    return [int(begin <= i < end) for i in range(length)]


def _first(ids: Any) -> list[Any]:
    """Of the tokens of one text, or of several texts."""
    several = len(ids) > 0 and isinstance(ids[0], list)
    return [_ones(0, 1, len(one)) for one in ids] if several else _ones(0, 1, len(ids))
