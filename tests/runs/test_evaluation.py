"""Prediction in batches of like length: order, padding, loss, and nothing at all."""

from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hf_tasks.runs.evaluation import Predicted, encode, flat, numbers, outputs, predict, scores
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.types import EncodedSplit

TASK = TextClassification(
    name="text-classification",
    problem_type="single_label_classification",
    labels=("bad", "good"),
    metrics=("accuracy", "per_class"),
)
LENGTHS = [3, 9, 1, 7, 7, 2, 8, 1, 5]


class Recorder(torch.nn.Module):
    """Its logits are the number of tokens and the first word's id; it remembers the shapes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.parameter = torch.nn.Parameter(torch.zeros(1))
        self.shapes: list[tuple[int, ...]] = []
        self.modes: list[bool] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        self.shapes.append(tuple(input_ids.shape))
        self.modes.append(self.training or torch.is_grad_enabled())
        return {"logits": torch.stack([attention_mask.sum(1), input_ids[:, 1]], dim=1).float()}


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


@pytest.fixture
def split(tokenizer: Any) -> EncodedSplit:
    """Texts of LENGTHS words; text i is all the letter i."""
    texts = [" ".join("abcdefghi"[i] * n) for i, n in enumerate(LENGTHS)]
    rows = [{"text": text, "label": "bad" if i % 2 else "good"} for i, text in enumerate(texts)]
    return encode(Dataset.from_list(rows), TASK, tokenizer)


def test_encode_counts_examples_over_all_batches(tokenizer: Any) -> None:
    rows = Dataset.from_list([{"text": "a b c d e f g"[: 1 + 12 * (i == 1500)], "label": "good"} for i in range(2100)])
    windows = TASK.model_copy(update={"long_texts": "windows", "max_length": 8, "doc_stride": 1})
    examples = encode(rows, windows, tokenizer).features["example"][:]
    assert examples == [*range(1501), *range(1500, 2100)]


def test_outputs_are_in_the_order_of_the_features_and_batches_are_of_like_length(
    split: EncodedSplit, tokenizer: Any
) -> None:
    model = Recorder()
    items, _ = outputs(model, TASK, split, tokenizer, batch_size=4)
    ids = tokenizer.convert_tokens_to_ids(list("abcdefghi"))
    assert [item.tolist() for item in items] == [[n + 2, letter] for n, letter in zip(LENGTHS, ids, strict=True)]
    assert model.shapes == [(4, 11), (4, 7), (1, 3)]
    assert model.modes == [False, False, False]


def test_predictions_and_loss_do_not_depend_on_the_batches(split: EncodedSplit, tokenizer: Any, tiny: Tiny) -> None:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny("bert"))
    one, many = (predict(model, TASK, split, tokenizer, batch_size=size) for size in (1, 9))
    for first, second in zip(one.predictions, many.predictions, strict=True):
        assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-5)
    assert one.loss == pytest.approx(many.loss, abs=1e-6)
    right = [row["probabilities"][label] for row, label in zip(one.predictions, split.examples["label"], strict=True)]
    assert one.loss == pytest.approx(-np.log(right).mean(), abs=1e-5)


def test_unlabelled_examples_have_predictions_and_no_loss(tokenizer: Any) -> None:
    split = encode(Dataset.from_list([{"text": "a"}, {"text": "b c"}]), TASK, tokenizer)
    predicted = predict(Recorder(), TASK, split, tokenizer)
    assert len(predicted.predictions) == 2
    assert predicted.loss is None


def test_no_examples_have_no_predictions(tokenizer: Any) -> None:
    empty = Dataset.from_dict({"text": [], "label": []})
    model = Recorder()
    assert predict(model, TASK, EncodedSplit(empty, empty), tokenizer) == Predicted([], None)
    assert model.shapes == []


def test_scores_are_the_task_s_metrics_with_n_first_and_loss_last() -> None:
    examples = Dataset.from_list([{"text": "a", "label": "good"}, {"text": "b", "label": "bad"}])
    values = scores(TASK, Predicted([{"label": "good"}, {"label": "good"}], 0.7), examples, {})
    assert list(values) == ["n", "accuracy", "per_class", "loss"]
    assert (values["n"], values["accuracy"], values["loss"]) == (2, 0.5, 0.7)
    assert numbers(values) == {"n": 2, "accuracy": 0.5, "loss": 0.7}
    assert "loss" not in scores(TASK, Predicted([{"label": "good"}] * 2, None), examples, {})


def test_flat() -> None:
    items = [np.array([1.0, 2.0], dtype=np.float32), (np.array([[3.0], [4.0]]), np.array([5.0]))]
    assert flat(items).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert flat(items).dtype == np.float64
