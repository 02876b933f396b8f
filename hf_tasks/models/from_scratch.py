"""New models: an encoder-decoder from a configuration, with a subword vocabulary learned from the training texts; or
from two pretrained encoders.

The special tokens are T5's: <pad> 0, which also begins a text, </s> 1, which ends one, and <unk> 2.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import did_you_mean
from hf_tasks.models.section import Subwords

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SPECIAL = ("<pad>", "</s>", "<unk>")
PAD, END, UNKNOWN = SPECIAL


def train_tokenizer(section: Subwords, texts: Iterable[str]) -> "PreTrainedTokenizerBase":
    """A tokenizer whose subwords are learned from `texts`; the same texts give the same one."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    with _one_thread():
        trained = (_unigram if section.kind == "unigram" else _bpe)(section.vocab_size, texts)
    trained.post_processor = TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, SPECIAL.index(END))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token=PAD, eos_token=END, unk_token=UNKNOWN,
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def build(values: dict[str, Any], tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """A model with random weights (by torch's seed), of the size that `values`, keys of a configuration of transformers
    with `model_type`, say. RecipeError for keys that the configuration does not have."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, AutoModelForSeq2SeqLM

    kind = values.get("model_type")
    kinds = [name for name in CONFIG_MAPPING if CONFIG_MAPPING[name] in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING]
    if kind not in kinds:
        hint = did_you_mean(str(kind), kinds) or "; for example marian, t5 or bart"
        raise RecipeError(f'model.config.model_type: there is no encoder-decoder "{kind}"{hint}')
    config_class = CONFIG_MAPPING[kind]
    known = {field.name for field in dataclasses.fields(config_class)} | config_class.attribute_map.keys()
    for key in values.keys() - known - {"model_type"}:
        raise RecipeError(f"model.config.{key}: {kind} has no such key{did_you_mean(key, known) or '; remove it'}")
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    tokens = {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": end, "bos_token_id": None}
    sizes = {name: value for name, value in values.items() if name != "model_type"}
    try:
        config = config_class(**{"vocab_size": len(tokenizer)} | sizes | tokens)
        model = AutoModelForSeq2SeqLM.from_config(config)
    except Exception as e:  # transformers checks sizes in several ways
        raise RecipeError(f"model.config: {str(e).strip().splitlines()[-1].strip()}; change the sizes") from None
    model.generation_config.forced_eos_token_id = model.generation_config.forced_bos_token_id = None
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


def _unigram(vocab_size: int, texts: Iterable[str]) -> "Tokenizer":
    """Kudo 2018, https://aclanthology.org/P18-1007; characters that the texts do not have become <unk>."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(_blanks(), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size, special_tokens=list(SPECIAL), unk_token=UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.model = models.Unigram(_in_order(tokenizer), unk_id=SPECIAL.index(UNKNOWN))
    return tokenizer


def _in_order(tokenizer: "Tokenizer") -> list[tuple[str, float]]:
    """The special tokens, then the subwords by their log-probability: the trainer leaves equal ones in any order, and
    rounds their last digits in any way."""
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    first, rest = vocab[: len(SPECIAL)], vocab[len(SPECIAL) :]
    rounded = ((piece, round(value, 6)) for piece, value in rest)
    return [*map(tuple, first), *sorted(rounded, key=lambda one: (-one[1], one[0]))]


def _bpe(vocab_size: int, texts: Iterable[str]) -> "Tokenizer":
    """Byte pairs (Sennrich et al. 2016, https://aclanthology.org/P16-1162) of bytes, so that nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _blanks() -> Any:
    from tokenizers import Regex

    return Regex(r"\s+")


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of several threads come in any order, and with them the vocabulary."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
