"""Very long texts are not tokenized whole, and give the same features."""

import time

import pytest
from transformers import PreTrainedTokenizerFast

from hf_tasks.tasks import beginnings
from hf_tasks.tasks.text_classification.features import TextReader


def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[CLS]", "[SEP]", "[UNK]", "[PAD]", *"abcdefgh"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_input_names=["input_ids"]
    )


@pytest.mark.parametrize("pairs", [None, ["g h", "h"]])
def test_the_same_features(monkeypatch: pytest.MonkeyPatch, pairs: list[str] | None) -> None:
    reader, texts = TextReader(tokenizer(), 8, None), ["a b c d e f " * 1_000, "a b"]
    whole = reader.features(texts, pairs)
    monkeypatch.setattr(beginnings, "LEAST", 1_200)
    short = reader.features(texts, pairs)
    assert (short["input_ids"], short["length"]) == (whole["input_ids"], whole["length"])
    assert whole["tokens_cut"][0] == 6_002 - 8 + (3 if pairs else 0)
    assert short["tokens_cut"][0] == pytest.approx(whole["tokens_cut"][0], rel=0.02)
    assert short["tokens_cut"][1] == 0


def test_a_beginning_without_enough_tokens_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "LEAST", 1_000)
    text = " " * 5_000 + "a b c"
    assert beginnings.beginnings([text], 8, tokenizer()) == ([text], [1.0])


def test_a_line_of_many_megabytes_takes_no_time() -> None:
    reader, text = TextReader(tokenizer(), 32, None), "a b c d e f g h " * 1_000_000
    start = time.perf_counter()
    assert reader.features([text], None)["tokens_cut"][0] == pytest.approx(8_000_000, rel=0.01)
    assert time.perf_counter() - start < 2
