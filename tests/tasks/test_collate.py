"""Features to padded tensors."""

from typing import Any

import pytest
import torch
from conftest import Tiny
from transformers import AutoTokenizer

from hf_tasks.tasks.collate import IGNORE, PaddingCollator


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


def feature(*ids: int, **others: Any) -> dict[str, Any]:
    return {"input_ids": list(ids), "token_type_ids": [1] * len(ids), "attention_mask": [1] * len(ids)} | others


def test_columns_of_the_tokenizer_are_padded_each_with_its_own_value(tokenizer: Any) -> None:
    batch = PaddingCollator(tokenizer)([feature(7, 8, 9, labels=2, example=0, length=3), feature(5, labels=0)])
    assert list(batch) == ["input_ids", "token_type_ids", "attention_mask", "labels"]
    assert batch["input_ids"].tolist() == [[7, 8, 9], [5, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [2, 0]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_the_padding_token_is_the_tokenizer_s(tiny: Tiny) -> None:
    roberta = AutoTokenizer.from_pretrained(tiny("roberta"))
    batch = PaddingCollator(roberta)([feature(7, 8), feature(5)])
    assert list(batch) == ["input_ids", "attention_mask"]
    assert batch["input_ids"].tolist() == [[7, 8], [5, roberta.pad_token_id]]
    assert roberta.pad_token_id == 1


def test_labels_of_tokens_are_padded_with_what_the_loss_ignores(tokenizer: Any) -> None:
    batch = PaddingCollator(tokenizer)([feature(7, 8, 9, labels=[3, IGNORE, 4]), feature(5, labels=[1])])
    assert batch["labels"].tolist() == [[3, IGNORE, 4], [1, IGNORE, IGNORE]]
    assert batch["labels"].dtype == torch.int64


def test_flags_and_scores_are_float32(tokenizer: Any) -> None:
    flags = PaddingCollator(tokenizer)([feature(7, labels=[1.0, 0.0]), feature(5, labels=[0.0, 0.0])])["labels"]
    assert (flags.tolist(), flags.dtype) == ([[1.0, 0.0], [0.0, 0.0]], torch.float32)
    scores = PaddingCollator(tokenizer)([feature(7, labels=0.5), feature(5, labels=2.0)])["labels"]
    assert (scores.tolist(), scores.dtype) == ([0.5, 2.0], torch.float32)


def test_unlabelled_features(tokenizer: Any) -> None:
    assert "labels" not in PaddingCollator(tokenizer)([feature(7)])


def test_padding_on_the_left(tiny: Tiny) -> None:
    left = AutoTokenizer.from_pretrained(tiny("bert"), padding_side="left")
    batch = PaddingCollator(left)([feature(7, 8, 9, labels=[1, 2, 3]), feature(5, labels=[1])])
    assert batch["input_ids"].tolist() == [[7, 8, 9], [0, 0, 5]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["labels"].tolist() == [[1, 2, 3], [IGNORE, IGNORE, 1]]


def test_features_are_left_as_they_are(tokenizer: Any) -> None:
    features = [feature(7, 8), feature(5)]
    PaddingCollator(tokenizer)(features)
    assert features == [feature(7, 8), feature(5)]
