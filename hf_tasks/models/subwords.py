"""Subword tokenizers that are learned from texts; the same texts give the same tokenizer, byte for byte.

encoder-decoders     the special tokens are T5's: <pad> 0, which also begins a text, </s> 1, which ends one, <unk> 2
encoders             those of BERT: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; texts are [CLS] A [SEP] B [SEP]
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.models.section import Subwords

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

PAD, END, UNKNOWN = SEQUENCE_TOKENS = ("<pad>", "</s>", "<unk>")
ENCODER_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
DELTA = 0.0001
"""See `_in_order`; https://github.com/huggingface/tokenizers, unigram/trainer.rs."""
CONTINUED = "##"
"""Before WordPiece's subwords inside of words."""


def sequence_tokenizer(section: Subwords, texts: Iterable[str]) -> "PreTrainedTokenizerBase":
    """A tokenizer of an encoder-decoder. Raises RecipeError for WordPiece, which does not give texts back."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    if section.kind == "wordpiece" or section.lowercase:
        raise RecipeError("model.tokenizer: wordpiece and lowercase lose blanks and capitals; use kind: bpe or unigram")
    trained = _learned(section, texts, SEQUENCE_TOKENS, UNKNOWN)
    trained.post_processor = TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, SEQUENCE_TOKENS.index(END))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token=PAD, eos_token=END, unk_token=UNKNOWN,
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def encoder_tokenizer(section: Subwords, texts: Iterable[str], *, segments: bool) -> "PreTrainedTokenizerBase":
    """A tokenizer of an encoder; `segments`: whether the model has embeddings of two segments."""
    from tokenizers import AddedToken
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    pad, unknown, first, separator, mask = ENCODER_TOKENS
    trained = _learned(section, texts, ENCODER_TOKENS, unknown)
    second = int(segments)
    trained.post_processor = TemplateProcessing(
        single=f"{first} $A {separator}",
        pair=f"{first} $A {separator} $B:{second} {separator}:{second}",
        special_tokens=[(token, ENCODER_TOKENS.index(token)) for token in (first, separator)],
    )
    names = ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token=pad, unk_token=unknown, cls_token=first, sep_token=separator,
        mask_token=AddedToken(mask, lstrip=section.kind != "wordpiece", special=True),
        model_input_names=names, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _learned(section: Subwords, texts: Iterable[str], special: Sequence[str], unknown: str) -> "Tokenizer":
    learn = {"unigram": _unigram, "bpe": _bpe, "wordpiece": _wordpiece}[section.kind]
    with _one_thread():
        return learn(section, texts, special, unknown)


def _unigram(section: Subwords, texts: Iterable[str], special: Sequence[str], unknown: str) -> "Tokenizer":
    """Kudo 2018, https://aclanthology.org/P18-1007; characters that the texts do not have become <unk>."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(_blanks(), " "), *_lowercase(section)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=section.vocab_size, special_tokens=list(special), unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.model = models.Unigram(_in_order(tokenizer, len(special)), unk_id=special.index(unknown))
    return tokenizer


def _in_order(tokenizer: "Tokenizer", special: int) -> list[tuple[str, float]]:
    """The special tokens, then the subwords by their log-probability: the trainer leaves equal ones in any order, and
    rounds their last digits in any way. Characters that it would drop it keeps with the lowest log-probability plus
    DELTA, twice DELTA, ..., in any order too; here in that of the characters."""
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    first, rest = vocab[:special], vocab[special:]
    rounded = {piece: round(value, 6) for piece, value in rest}
    lowest = min(rounded.values())
    kept = [piece for piece, value in rounded.items() if len(piece) == 1 and _is_multiple(value - lowest)]
    rounded |= zip(sorted(kept), sorted((rounded[piece] for piece in kept), reverse=True), strict=True)
    return [*map(tuple, first), *sorted(rounded.items(), key=lambda one: (-one[1], one[0]))]


def _is_multiple(value: float) -> bool:
    steps = value / DELTA
    return abs(steps - round(steps)) < 0.02


def _bpe(section: Subwords, texts: Iterable[str], special: Sequence[str], unknown: str) -> "Tokenizer":
    """Byte pairs (Sennrich et al. 2016, https://aclanthology.org/P16-1162) of bytes, so that nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if section.lowercase:
        tokenizer.normalizer = normalizers.Sequence(_lowercase(section))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=section.vocab_size,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _wordpiece(section: Subwords, texts: Iterable[str], special: Sequence[str], unknown: str) -> "Tokenizer":
    """WordPiece as BERT has it: subwords inside of words begin with ##, Chinese characters are words."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    def empty(vocab: dict[str, int]) -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=unknown, max_input_chars_per_word=100))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=section.lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece(prefix=CONTINUED, cleanup=False)
        return tokenizer

    trained, texts = empty({}), list(texts)
    inner = [f"{CONTINUED}{character}" for character in _inside_words(trained, texts)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=section.vocab_size, special_tokens=[*special, *inner], show_progress=False
    )  # the trainer itself numbers the characters inside of words in any order
    trained.train_from_iterator(texts, trainer)
    return empty(trained.get_vocab())  # in which the characters are ordinary tokens


def _inside_words(tokenizer: "Tokenizer", texts: Sequence[str]) -> list[str]:
    """The characters that words have behind their first one, in order."""
    found: set[str] = set()
    for text in texts:
        words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        found.update(*(word[1:] for word, _ in words))
    return sorted(found)


def _lowercase(section: Subwords) -> list[Any]:
    """The normalizers of `lowercase`: no capitals and no accents, as of BERT's uncased models."""
    from tokenizers import normalizers

    return [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()] if section.lowercase else []


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
