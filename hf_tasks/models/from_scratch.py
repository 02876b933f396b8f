"""New models: an encoder-decoder, encoder or decoder from a configuration, whose tokenizer is learned from the training
texts (models/subwords.py); or an encoder-decoder from two pretrained encoders."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import did_you_mean
from hf_tasks.models.layers import try_out

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BASE_SIZES = {
    "albert": {
        "embedding_size": 128, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
}  # fmt: skip
"""Sizes that a recipe does not give, where transformers' own are not the base model's: ALBERT's are xxlarge's."""


def build(values: dict[str, Any], tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """An encoder-decoder with random weights (by torch's seed), of the size that `values`, keys of a configuration of
    transformers with `model_type`, say. RecipeError for keys that the configuration does not have."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, AutoModelForSeq2SeqLM

    kinds = [name for name in CONFIG_MAPPING if CONFIG_MAPPING[name] in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING]
    _check_keys(values, kinds, "encoder-decoder", "marian, t5 or bart")
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    tokens = {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": end, "bos_token_id": None}
    model = _built(AutoModelForSeq2SeqLM, values, tokens, len(tokenizer))
    model.generation_config.forced_eos_token_id = model.generation_config.forced_bos_token_id = None
    return model


def build_encoder(values: dict[str, Any], tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """As `build`, an encoder with the head of a masked language model."""
    from transformers import AutoModelForMaskedLM

    known = _check_encoder(values)
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = {"pad": tokenizer.pad_token_id, "bos": first, "cls": first, "eos": last, "sep": last}
    tokens = {f"{name}_token_id": one for name, one in ids.items() if f"{name}_token_id" in known}
    return _built(AutoModelForMaskedLM, values, tokens, len(tokenizer))


def build_decoder(values: dict[str, Any], tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """As `build`, a decoder-only model."""
    from transformers import (
        CONFIG_MAPPING,
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
        AutoModelForCausalLM,
    )

    others = {*MODEL_FOR_MASKED_LM_MAPPING, *MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING}  # such as BERT as a decoder
    classes = set(MODEL_FOR_CAUSAL_LM_MAPPING) - others
    _check_keys(values, [name for name in CONFIG_MAPPING if CONFIG_MAPPING[name] in classes], "decoder-only model",
                "gpt2 or llama")  # fmt: skip
    tokens = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    return _built(AutoModelForCausalLM, values, tokens, len(tokenizer))


def has_segments(values: dict[str, Any]) -> bool:
    """Whether the encoder has embeddings of two segments. RecipeError as of `build_encoder`."""
    from transformers import CONFIG_MAPPING

    known = _check_encoder(values)
    default = getattr(CONFIG_MAPPING[values["model_type"]], "type_vocab_size", 0)
    return "type_vocab_size" in known and values.get("type_vocab_size", default) > 1


def _check_encoder(values: dict[str, Any]) -> set[str]:
    from transformers import CONFIG_MAPPING, MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING

    with_heads = set(MODEL_FOR_MASKED_LM_MAPPING) - set(MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING)
    kinds = [name for name in CONFIG_MAPPING if CONFIG_MAPPING[name] in with_heads]
    return _check_keys(values, kinds, "encoder with a masked language model", "bert, albert or modernbert")


def _check_keys(values: dict[str, Any], kinds: Sequence[str], what: str, examples: str) -> set[str]:
    """The keys of the configuration. RecipeError where `values` have others, or another model than `kinds`."""
    from transformers import CONFIG_MAPPING

    kind = values.get("model_type")
    if kind not in kinds:
        hint = did_you_mean(str(kind), kinds) or f"; for example {examples}"
        raise RecipeError(f'model.config.model_type: there is no {what} "{kind}"{hint}')
    config_class = CONFIG_MAPPING[kind]
    known: set[str] = {field.name for field in dataclasses.fields(config_class)} | config_class.attribute_map.keys()
    for key in values.keys() - known - {"model_type"}:
        raise RecipeError(f"model.config.{key}: {kind} has no such key{did_you_mean(key, known) or '; remove it'}")
    return known


def _built(auto: Any, values: dict[str, Any], tokens: dict[str, Any], vocab_size: int) -> Any:
    """A model of the Auto class `auto`. RecipeError where its sizes do not fit each other."""
    from transformers import CONFIG_MAPPING

    kind = values["model_type"]
    sizes = BASE_SIZES.get(kind, {}) | {name: value for name, value in values.items() if name != "model_type"}
    try:
        model = auto.from_config(CONFIG_MAPPING[kind](**{"vocab_size": vocab_size} | sizes | tokens))
        if not model.config.is_encoder_decoder:
            try_out(model)  # ALBERT checks its sizes here
    except Exception as e:  # transformers checks sizes in several ways
        raise RecipeError(f"model.config: {str(e).strip().splitlines()[-1].strip()}; change the sizes") from None
    return model


def warm_start(encoder: str, decoder: str, tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """An encoder-decoder from two pretrained encoders, e.g. BERT twice; what the decoder reads of the encoder is new.

    Rothe et al. 2020, https://aclanthology.org/2020.tacl-1.18. RecipeError where the two have different vocabularies.
    """
    import torch
    from transformers import EncoderDecoderModel

    model = EncoderDecoderModel.from_encoder_decoder_pretrained(
        encoder, decoder, encoder_dtype=torch.float32, decoder_dtype=torch.float32
    )
    sizes = model.config.encoder.vocab_size, model.config.decoder.vocab_size
    if sizes[0] != sizes[1]:
        raise RecipeError(
            f"model.decoder_name_or_path: its vocabulary has {sizes[1]} tokens, the encoder's {sizes[0]}; choose "
            "checkpoints of one tokenizer"
        )
    first = tokenizer.bos_token_id if tokenizer.cls_token_id is None else tokenizer.cls_token_id
    last = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = first, last, tokenizer.pad_token_id
    return model
