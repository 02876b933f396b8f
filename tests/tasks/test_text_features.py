"""Texts and pairs as tokens: whole, cut, in windows."""

from typing import Any

import pytest
from conftest import Tiny
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from hf_tasks.tasks.text_classification.features import TextReader

LONG = "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 4


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


def tokens(features: dict[str, list[Any]], tokenizer: Any) -> list[str]:
    return [" ".join(tokenizer.convert_ids_to_tokens(ids)) for ids in features["input_ids"]]


def test_truncation_is_counted(tokenizer: Any) -> None:
    features = TextReader(tokenizer, 8, None).features(["a b c d e f", "a b c d e f g h i"], None)
    assert tokens(features, tokenizer) == ["[CLS] a b c d e f [SEP]"] * 2
    assert (features["length"], features["tokens_cut"]) == ([8, 8], [0, 3])


def test_truncation_of_a_pair_shortens_the_longer_text(tokenizer: Any) -> None:
    features = TextReader(tokenizer, 9, None).features(["a b c d e f"], ["x y"])
    assert tokens(features, tokenizer) == ["[CLS] a b c d [SEP] x y [SEP]"]
    assert features["tokens_cut"] == [2]


def test_windows_of_one_text(tokenizer: Any) -> None:
    features = TextReader(tokenizer, 8, 2).features(["a b c d e f", "a b c d e f g h i j k"], None)
    assert tokens(features, tokenizer) == [
        "[CLS] a b c d e f [SEP]",
        "[CLS] a b c d e f [SEP]",
        "[CLS] e f g h i j [SEP]",
        "[CLS] i j k [SEP]",
    ]
    assert features["example"] == [0, 1, 1, 1]
    assert features["length"] == [8, 8, 8, 5]
    assert features["tokens_cut"] == [0, 0, 0, 0]


def test_windows_of_a_pair_keep_the_short_text_in_each(tokenizer: Any) -> None:
    features = TextReader(tokenizer, 9, 1).features(["a b c d e f g"], ["x y"])
    assert tokens(features, tokenizer) == [
        "[CLS] a b c d [SEP] x y [SEP]",
        "[CLS] d e f g [SEP] x y [SEP]",
    ]
    assert features["token_type_ids"] == [[0] * 6 + [1] * 3] * 2


def test_windows_of_a_pair_are_of_its_longer_text_beside_half_of_the_other(tokenizer: Any) -> None:
    reader, short, long = TextReader(tokenizer, 9, 0), ["a b c d e"], ["t u v w x y z"]
    assert tokens(reader.features(short, long), tokenizer) == [
        "[CLS] a b c [SEP] t u v [SEP]",
        "[CLS] a b c [SEP] w x y [SEP]",
        "[CLS] a b c [SEP] z [SEP]",
    ]
    assert tokens(reader.features(long, short), tokenizer) == [
        "[CLS] t u v [SEP] a b c [SEP]",
        "[CLS] w x y [SEP] a b c [SEP]",
        "[CLS] z [SEP] a b c [SEP]",
    ]


@pytest.mark.parametrize("doc_stride", [None, 2])
def test_an_empty_text_is_one_token_where_there_are_no_special_tokens(tiny: Tiny, doc_stride: int | None) -> None:
    bare = AutoTokenizer.from_pretrained(tiny("bert"))
    bare.backend_tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    features = TextReader(bare, 8, doc_stride).features(["a film", ""], None)
    assert tokens(features, bare) == ["a film", "[UNK]"]
    assert (features["attention_mask"], features["length"], features["tokens_cut"]) == ([[1, 1], [1]], [2, 1], [0, 0])
    assert tokens(TextReader(bare, 8, None).features([""], [""]), bare) == ["[UNK]"]


@pytest.mark.parametrize("pair", [None, ["x y"], [LONG]])
def test_windows_of_a_short_model_overlap_by_less_than_half(tokenizer: Any, pair: list[str] | None) -> None:
    """An overlap of 128 tokens is more than the model reads; every token is in some window all the same."""
    features = TextReader(tokenizer, 64, 128).features([LONG], pair)
    assert max(features["length"]) == 64
    assert {token for row in tokens(features, tokenizer) for token in row.split()} >= set(LONG.split())
    assert len(features["input_ids"]) > 2
