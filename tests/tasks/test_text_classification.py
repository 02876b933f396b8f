"""Text classification: its four forms from raw rows to predictions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny
from datasets import Dataset
from found import errors
from transformers import AutoTokenizer, CanineTokenizer

from hf_tasks.runs.evaluation import encode
from hf_tasks.tasks import EncodedSplit, TextClassification

FORMS: dict[str, list[dict[str, Any]]] = {
    "single": [
        {"text": "a good film", "label": "good"},
        {"text": "an awful slow book", "label": "bad"},
        {"text": "not bad at all", "label": "good"},
    ],
    "pair": [
        {"text": "a man plays", "text_pair": "he plays", "label": "entailment"},
        {"text": "a man plays", "text_pair": "he works", "label": "neutral"},
        {"text": "a man plays", "text_pair": "he died", "label": "contradiction"},
    ],
    "several": [
        {"text": "a great fast film", "labels": ["joy", "awe"]},
        {"text": "he died", "labels": ["fear"]},
        {"text": "it is", "labels": []},
    ],
    "regression": [
        {"text": "a film", "text_pair": "a movie", "score": 4.5},
        {"text": "a film", "text_pair": "a king", "score": -1.0},
        {"text": "a film", "text_pair": "a film", "score": 5.0},
    ],
}
LONG = "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 4


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


def make(**keys: Any) -> TextClassification:
    return TextClassification(name="text-classification", **keys)


def resolved(rows: list[dict[str, Any]], **keys: Any) -> TextClassification:
    return make(**keys).fit(Dataset.from_list(rows))


def wrong(task: TextClassification, **row: Any) -> str:
    with pytest.raises(ValueError) as e:
        task.parse({"text": "a"} | row)
    return str(e.value)


# -- from rows to examples


def test_examples_of_all_forms_keep_canonical_columns_only() -> None:
    for rows in FORMS.values():
        assert [make().parse(row | {"id": 3}) for row in rows] == rows


def test_unlabelled_rows() -> None:
    assert make().parse({"text": "a"}) == {"text": "a"}
    assert make().parse({"text": "a", "text_pair": "b"}) == {"text": "a", "text_pair": "b"}


def test_unseen_numbers_are_no_places_where_a_label_is_a_number_or_the_labels_were_found() -> None:
    assert make(labels=("1", "2", "other")).parse({"text": "a", "label": 0})["label"] == "0"
    found, given = resolved(FORMS["single"]), resolved(FORMS["single"], labels=("bad", "good"))
    assert (found.label_indices, given.label_indices) == (False, True)
    assert found.parse({"text": "a", "label": 1})["label"] == "1"
    assert given.parse({"text": "a", "label": 1})["label"] == "good"


def test_numbers_of_several_labels_count_into_those_of_the_recipe() -> None:
    assert make(labels=("joy", "awe")).parse({"text": "a", "labels": [1, 0]})["labels"] == ["awe", "joy"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": None}, "the text is missing; write it or remove the row"),
        ({"text": 3}, "the text is not a string but 3; quote it"),
        ({"text_pair": None}, "the text_pair is missing; write it or remove the row"),
        ({"label": ""}, "the label is empty; give the row a label or remove it"),
        ({"labels": ["a", ""]}, "the label is empty; give the row a label or remove it"),
        ({"score": ""}, "the score is empty; give the row a number or remove it"),
    ],
)
def test_rows_that_cannot_be_used(row: dict[str, Any], message: str) -> None:
    assert wrong(make(), **row) == message


# -- what the training data tell


@pytest.mark.parametrize(
    ("form", "problem", "labels", "metric"),
    [
        ("single", "single_label_classification", ("bad", "good"), "accuracy"),
        ("pair", "single_label_classification", ("contradiction", "entailment", "neutral"), "accuracy"),
        ("several", "multi_label_classification", ("awe", "fear", "joy"), "f1"),
        ("regression", "regression", (), "pearson"),
    ],
)
def test_resolve_finds_form_labels_and_metrics(form: str, problem: str, labels: tuple[str, ...], metric: str) -> None:
    task = make()
    found = task.fit(Dataset.from_list(FORMS[form]))
    assert (found.problem_type, found.labels, found.metrics[0]) == (problem, labels, metric)
    assert task == make()
    assert found.fit(Dataset.from_list(FORMS[form])) == found


def test_labels_are_sorted_as_numbers_then_as_names() -> None:
    rows = [{"text": "a", "label": label} for label in ("b", "10", "2", "B", "1.5", "0", "é")]
    assert resolved(rows).labels == ("0", "2", "10", "1.5", "B", "b", "é")
    assert resolved(rows[::-1]).labels == resolved(rows).labels


def test_what_the_recipe_gives_is_kept() -> None:
    task = resolved(FORMS["single"], labels=("good", "bad", "other"), metrics=("f1",))
    assert (task.labels, task.metrics) == (("good", "bad", "other"), ("f1",))


def test_resolve_refuses_what_cannot_be_learned() -> None:
    with pytest.raises(ValueError) as e:
        resolved(FORMS["single"][::2])
    assert str(e.value) == "the training data has one label only (good); two are needed to learn"
    with pytest.raises(ValueError) as e:
        resolved(FORMS["single"], problem_type="regression")
    assert str(e.value) == (
        'task.problem_type is regression, which reads the column "score", but the training data has "label"; '
        "name its column in the file with data.columns: {score: NAME}"
    )


@pytest.mark.parametrize(
    ("form", "keys", "message"),
    [
        ("regression", {"labels": ("a", "b")},
         "task.labels: regression predicts a number and has no labels; remove them"),
        ("regression", {"class_weights": "balanced"},
         "task.class_weights: only single-label classification has class weights; remove them"),
        ("several", {"class_weights": {"joy": 2.0}},
         "task.class_weights: only single-label classification has class weights; remove them"),
        ("single", {"label_separator": "|"},
         "task.label_separator: only several labels are separated; name their column with data.columns: "
             "{labels: NAME}, or remove it"),
    ],
)  # fmt: skip
def test_resolve_refuses_what_clashes_with_the_problem_found(form: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as e:
        resolved(FORMS[form], **keys)
    assert str(e.value) == message


def test_a_model_of_pairs_needs_both_texts() -> None:
    pairs, single = resolved(FORMS["pair"]), resolved(FORMS["single"])
    assert (pairs.pairs, single.pairs) == (True, False)
    assert pairs.columns.missing(["text"], labelled=False) == 'column "text_pair"'
    assert pairs.columns.missing(["text", "text_pair"], labelled=False) is None
    assert pairs.columns.missing(["text_pair"], labelled=False) == 'column "text"'
    assert single.columns.missing(["text"], labelled=False) is None


def test_check_names_unknown_labels_and_empty_texts() -> None:
    task = resolved(FORMS["single"])
    assert errors(task, FORMS["single"][0]) == []
    assert errors(task, {"text": " \n", "label": "goood"}) == [
        "the text is empty; write it or remove the row",
        'label "goood" is not among the labels of the training data; did you mean "good"?',
    ]
    several = resolved(FORMS["several"])
    assert errors(several, {"text": "a", "labels": ["joy", "x", "y"]}) == [
        'label "x" is not among the labels of the training data; labels are awe, fear, joy',
        'label "y" is not among the labels of the training data; labels are awe, fear, joy',
    ]
    assert errors(several, {"text": "a", "labels": []}) == []


def test_strata() -> None:
    assert [make().traits.strata(row) for row in FORMS["single"]] == [("good",), ("bad",), ("good",)]
    assert [make().traits.strata(row) for row in FORMS["several"]] == [("awe", "joy"), ("fear",), ()]
    assert [make().traits.strata(row) for row in FORMS["regression"]] == [("",), ("",), ("",)]


def test_head_config() -> None:
    assert resolved(FORMS["single"]).model_spec.config == {
        "problem_type": "single_label_classification",
        "id2label": {0: "bad", 1: "good"},
        "label2id": {"bad": 0, "good": 1},
    }
    assert resolved(FORMS["regression"]).model_spec.config["num_labels"] == 1


def test_weights_are_scaled_by_the_training_data() -> None:
    rows = [{"text": "a", "label": label} for label in "aaab"]
    assert resolved(rows, class_weights="balanced").class_weights == pytest.approx({"a": 2 / 3, "b": 2.0})
    assert resolved(rows).class_weights is None


def test_weights_of_labels_that_the_data_lack_are_refused() -> None:
    with pytest.raises(ValueError) as e:
        resolved(FORMS["single"], class_weights={"god": 2.0})
    assert str(e.value) == 'task.class_weights: "god" is not one of the labels; did you mean "good"?'


# -- features


def tokens(features: dict[str, list[Any]], tokenizer: Any) -> list[str]:
    return [" ".join(tokenizer.convert_ids_to_tokens(ids)) for ids in features["input_ids"]]


def test_encode_one_text(tokenizer: Any) -> None:
    features = resolved(FORMS["single"]).encode({"text": ["A good film", "slow"], "label": ["good", "bad"]}, tokenizer)
    assert tokens(features, tokenizer) == ["[CLS] a good film [SEP]", "[CLS] slow [SEP]"]
    assert features["token_type_ids"] == [[0] * 5, [0] * 3]
    assert features["attention_mask"] == [[1] * 5, [1] * 3]
    assert features["labels"] == [1, 0]
    assert (features["example"], features["length"], features["tokens_cut"]) == ([0, 1], [5, 3], [0, 0])


def test_encode_a_pair_as_two_segments(tokenizer: Any) -> None:
    columns = {"text": ["a man", "he"], "text_pair": ["he plays", "the king died"], "label": ["neutral", "entailment"]}
    features = resolved(FORMS["pair"]).encode(columns, tokenizer)
    assert tokens(features, tokenizer) == [
        "[CLS] a m ##a ##n [SEP] he plays [SEP]",
        "[CLS] he [SEP] the king died [SEP]",
    ]
    assert features["token_type_ids"] == [[0] * 6 + [1] * 3, [0] * 3 + [1] * 4]
    assert features["labels"] == [2, 1]


def test_encode_several_labels_and_scores_as_floats(tokenizer: Any) -> None:
    columns = {"text": ["a", "b"], "labels": [["joy", "awe"], []]}
    assert resolved(FORMS["several"]).encode(columns, tokenizer)["labels"] == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    scores = resolved(FORMS["regression"]).encode({"text": ["a"], "text_pair": ["b"], "score": [3]}, tokenizer)[
        "labels"
    ]
    assert scores == [3.0]
    assert isinstance(scores[0], float)


@pytest.mark.parametrize("form", FORMS)
def test_unlabelled_examples_have_no_labels(tokenizer: Any, form: str) -> None:
    features = resolved(FORMS[form]).encode({"text": ["a", "b"]}, tokenizer)
    assert "labels" not in features
    assert features["example"] == [0, 1]


def test_the_model_s_own_limit_counts_where_it_is_smaller(tokenizer: Any) -> None:
    features = resolved(FORMS["single"]).encode({"text": [LONG]}, tokenizer)
    assert (features["length"], features["tokens_cut"]) == ([64], [4 * 26 + 2 - 64])


def test_windows_have_the_label_of_their_text(tokenizer: Any) -> None:
    task = resolved(FORMS["single"], long_texts="windows", max_length=8, doc_stride=2)
    features = task.encode({"text": ["a b", "a b c d e f g h i j k"], "label": ["good", "bad"]}, tokenizer)
    assert (features["example"], features["labels"]) == ([0, 1, 1, 1], [1, 0, 0, 0])


def test_a_tokenizer_in_python_has_windows_too() -> None:
    task, tokenizer = resolved(FORMS["single"], long_texts="windows", max_length=8, doc_stride=2), CanineTokenizer()
    features = task.encode({"text": ["abcdefghij"]}, tokenizer)
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in features["input_ids"]] == ["abcdef", "efghij"]


# -- loss


def test_loss_of_a_single_label() -> None:
    task = resolved(FORMS["single"])
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    loss = task.loss({"logits": logits}, {"labels": torch.tensor([0, 1])})
    assert float(loss) == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)


def test_loss_with_weights_is_a_weighted_sum_over_the_number_of_examples() -> None:
    task = resolved(FORMS["single"], class_weights={"good": 4.0})
    assert task.class_weights == pytest.approx({"bad": 1 / 3, "good": 4 / 3})
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    loss = task.loss({"logits": logits}, {"labels": torch.tensor([0, 1])})
    assert float(loss) == pytest.approx((math.log(2) / 3 + math.log(4 / 3) * 4 / 3) / 2)


def test_loss_of_several_labels_is_the_mean_over_all_decisions() -> None:
    task = resolved(FORMS["several"])
    logits = torch.tensor([[0.0, math.log(3), 0.0]])
    loss = task.loss({"logits": logits}, {"labels": torch.tensor([[1.0, 1.0, 0.0]])})
    assert float(loss) == pytest.approx((2 * math.log(2) + math.log(4 / 3)) / 3)


def test_loss_of_regression_is_the_mean_squared_error() -> None:
    task = resolved(FORMS["regression"])
    loss = task.loss({"logits": torch.tensor([[1.0], [2.0]])}, {"labels": torch.tensor([0.0, 5.0])})
    assert float(loss) == pytest.approx((1 + 9) / 2)


@pytest.mark.parametrize("form", ["single", "weighted", "several", "regression"])
def test_losses_of_parts_add_up_to_the_loss_of_the_whole(form: str) -> None:
    rows = FORMS["single" if form == "weighted" else form]
    task = resolved(rows, class_weights={"good": 5.0} if form == "weighted" else None)
    torch.manual_seed(0)
    logits = torch.randn(7, max(1, len(task.labels)))
    labels = {
        "several": torch.randint(0, 2, (7, 3)).float(),
        "regression": torch.randn(7),
    }.get(form, torch.randint(0, 2, (7,)))
    items = labels.numel()
    splits = [
        task.loss({"logits": logits[rows]}, {"labels": labels[rows]}, items) for rows in (slice(0, 2), slice(2, 7))
    ]
    assert float(sum(splits)) == pytest.approx(float(task.loss({"logits": logits}, {"labels": labels})), rel=1e-6)
    assert float(task.loss({"logits": logits}, {"labels": labels}, torch.tensor(items))) == pytest.approx(
        float(sum(splits))
    )


def test_loss_is_computed_in_float32() -> None:
    task = resolved(FORMS["single"])
    logits = torch.tensor([[0.0, 10.0]], dtype=torch.bfloat16)
    assert task.loss({"logits": logits}, {"labels": torch.tensor([1])}).dtype == torch.float32


# -- predictions


def perfect(task: TextClassification, rows: list[dict[str, Any]]) -> list[np.ndarray]:
    """The logits of a model that is right and sure."""
    match task.problem_type:
        case "single_label_classification":
            return [np.array([20.0 if label == row["label"] else -20.0 for label in task.labels]) for row in rows]
        case "multi_label_classification":
            return [np.array([20.0 if label in row["labels"] else -20.0 for label in task.labels]) for row in rows]
        case _:
            return [np.array([row["score"]]) for row in rows]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("long_texts", ["truncate", "windows"])
def test_laws_alignment_and_round_trip(tokenizer: Any, form: str, long_texts: str) -> None:
    rows = [row | {"text": row["text"] + " x" * 30 * i} for i, row in enumerate(FORMS[form])]
    task = resolved(rows, long_texts=long_texts, max_length=32, doc_stride=4)
    encoded = encode(Dataset.from_list(rows), task, tokenizer)
    logits = perfect(task, rows)
    outputs = task.postprocessor().reduce(
        {"logits": torch.tensor(np.array([logits[i] for i in encoded.features["example"][:]]))}, {}
    )
    predictions, references = (
        task.postprocessor().decode(outputs, encoded),
        task.metric_inputs([], encoded.examples).references,
    )
    assert len(predictions) == len(references) == len(rows)
    assert task.metric_inputs(predictions, encoded.examples).predictions == references
    assert (len(encoded.features) > len(rows)) == (long_texts == "windows")


def split_of(examples: list[int]) -> EncodedSplit:
    """Features of these examples."""
    rows = Dataset.from_list([{"text": "a"}] * (max(examples) + 1))
    return EncodedSplit(rows, Dataset.from_dict({"example": examples}))


def test_decode_a_single_label() -> None:
    [row] = (
        resolved(FORMS["single"])
        .postprocessor()
        .decode([np.array([0.0, math.log(3)], dtype=np.float32)], split_of([0]))
    )
    assert row["label"] == "good"
    assert row["score"] == pytest.approx(0.75)
    assert row["probabilities"] == pytest.approx({"bad": 0.25, "good": 0.75})


def test_decode_several_labels_above_the_threshold() -> None:
    logits = [np.array([0.0, math.log(3), -800.0])]
    task = resolved(FORMS["several"])
    assert task.postprocessor().decode(logits, split_of([0])) == [
        {"labels": ["fear"], "probabilities": pytest.approx({"awe": 0.5, "fear": 0.75, "joy": 0.0})}
    ]
    lower = task.model_copy(update={"threshold": 0.4})
    assert lower.postprocessor().decode(logits, split_of([0]))[0]["labels"] == ["awe", "fear"]


def test_decode_a_number() -> None:
    assert resolved(FORMS["regression"]).postprocessor().decode(
        [np.array([2.5]), np.array([-1.0])], split_of([0, 1])
    ) == [
        {"score": 2.5},
        {"score": -1.0},
    ]


def test_windows_are_pooled_by_the_mean_of_their_logits() -> None:
    task = resolved(FORMS["single"])
    logits = [np.array([0.0, 6.0]), np.array([4.0, 0.0]), np.array([0.0, 3.0]), np.array([1.0, 0.0])]
    first, second = task.postprocessor().decode(logits, split_of([0, 1, 0, 0]))
    # example 0: means 1/3 and 3; example 1: 4 and 0
    assert first["probabilities"]["good"] == pytest.approx(1 / (1 + math.exp(1 / 3 - 3)))
    assert second["probabilities"]["bad"] == pytest.approx(1 / (1 + math.exp(-4)))


def test_references_of_several_labels_are_in_the_order_of_the_labels() -> None:
    task = resolved(FORMS["several"])
    assert task.metric_inputs([], Dataset.from_list(FORMS["several"])).references == [["awe", "joy"], ["fear"], []]
