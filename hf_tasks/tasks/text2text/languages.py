"""Source and target language of multilingual tokenizers and models."""

import inspect
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def knows_languages(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a text's language is part of its tokens."""
    return {"src_lang", "tgt_lang"} <= inspect.signature(type(tokenizer)).parameters.keys()


def set_languages(tokenizer: "PreTrainedTokenizerBase", source: str, target: str) -> None:
    """Set the source and target language of a multilingual tokenizer. Raises RecipeError for unknown languages."""
    try:
        tokenizer.src_lang, tokenizer.tgt_lang = source, target
        unknown = tokenizer.unk_token_id in (*tokenizer("")["input_ids"], *tokenizer(text_target="")["input_ids"])
    except KeyError:
        unknown = True
    if unknown:
        codes = ", ".join(sorted(map(str, tokenizer.all_special_tokens))[:40])
        raise RecipeError(
            f"task.source_language, task.target_language: the tokenizer does not know {source} and {target}; "
            f"use its own codes (among: {codes})"
        )


def set_first_token(model: Any, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Set the first token of a model's texts, given a tokenizer with its languages set."""
    first, *_, last = tokenizer(text_target="")["input_ids"]
    if first != tokenizer.eos_token_id:  # mBART-50, NLLB, M2M-100: the language, text, </s>
        model.generation_config.forced_bos_token_id = first
    else:  # mBART: text, </s>, the language
        model.generation_config.decoder_start_token_id = model.config.decoder_start_token_id = last
