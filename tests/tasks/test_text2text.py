"""Text to text: rows, prompts, labels, loss, and what is reported of the data."""

import math
from typing import Any

import pytest
import torch
from conftest import Tiny
from datasets import Dataset
from found import notes
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from hf_tasks import data
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.data.checks.lengths import lengths
from hf_tasks.decoding import Greedy
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation
from hf_tasks.runs.evaluation import encode, outputs, predict, scores
from hf_tasks.tasks import TextToText
from hf_tasks.tasks.types import Issue

TASK = TextToText(name="text2text-generation", metrics=("bleu",), max_target_length=8)
ROWS = [
    {"source": "the good film", "target": ["a bad book"]},
    {"source": "a", "target": ["the the the", "a"]},
    {"source": "mary lives in paris", "target": ["john works in rome and london and paris"]},
]


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("t5"))


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Any:
    return AutoModelForSeq2SeqLM.from_pretrained(tiny("t5")).eval()


def examples(rows: list[dict[str, Any]], task: TextToText = TASK, *, labelled: bool = True) -> list[dict[str, Any]]:
    return list(data.read_rows(rows, task, labelled=labelled).rows())


def message(rows: list[dict[str, Any]], task: TextToText = TASK) -> str:
    with pytest.raises(DataError) as e:
        examples(rows, task)
    return e.value.problems[0]


# -- rows


def test_a_target_is_a_text_or_a_list_of_references() -> None:
    assert examples([{"source": "a", "target": "b"}]) == [{"source": "a", "target": ["b"]}]
    mixed = [{"source": "a", "target": "b"}, {"source": "c", "target": ["d", "e"]}]
    assert [row["target"] for row in examples(mixed)] == [["b"], ["d", "e"]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"article": "a", "highlights": "b"}, {"source": "a", "target": ["b"]}),
        ({"document": "a", "summary": "b"}, {"source": "a", "target": ["b"]}),
        ({"text": "a", "summary": "b", "references": ["c", "d"]}, {"source": "a", "target": ["c", "d"]}),
        ({"sentence": "a", "corrections": ["b"]}, {"source": "a", "target": ["b"]}),
    ],
)
def test_usual_names_of_columns_serve(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert examples([row]) == [expected]


def test_a_translation_is_a_dict_of_languages() -> None:
    task = TASK.model_copy(update={"source_language": "en", "target_language": "de"})
    row = {"translation": {"en": "a dog", "de": "ein Hund", "fr": "un chien"}}
    assert examples([row], task) == [{"source": "a dog", "target": ["ein Hund"]}]
    assert message([row]) == "row 1: a translation of en, de, fr; set task.source_language and task.target_language"
    swapped = task.model_copy(update={"source_language": "ro"})
    assert message([row], swapped) == (
        'row 1: the translation has no "ro" (it has en, de, fr); set task.source_language and task.target_language'
    )
    alone = [{"translation": {"en": "a dog"}}]
    assert data.read_rows(alone, task, labelled=False).examples.to_list() == [{"source": "a dog"}]
    with pytest.raises(DataError, match='row 1: the translation has no "de"; write it, or set task.target_language'):
        data.check(data.read_rows(alone, task, labelled=True), task)
    assert message([{"translation": "a dog"}], task) == (
        'row 1: the translation is not a dict of languages; write for example {"en": "...", "de": "..."}'
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"source": "a", "target": 3}, "row 1: the target is not a string but 3; quote it"),
        ({"source": None, "target": "b"}, "row 1: the source is missing; write it or remove the row"),
        ({"source": "a", "target": []}, "row 1: the list of targets is empty; write one or more"),
    ],
)
def test_what_is_no_text_is_said(row: dict[str, Any], expected: str) -> None:
    assert message([row]) == expected


def test_empty_sides_are_reported_with_their_rows() -> None:
    rows = [{"source": " ", "target": "b"}, {"source": "a", "target": ["b", ""]}, {"source": "a", "target": "b"}]
    split = data.read_rows(rows, TASK, labelled=True)
    with pytest.raises(DataError) as e:
        data.check(split, TASK)
    assert e.value.problems[:2] == (
        "row 1: the source is empty; write it or remove the row",
        "row 2: a target is empty; write it or remove the row",
    )
    assert len(data.check(split, TASK, "drop")) == 1


def test_one_language_alone_is_a_clash() -> None:
    values = {"name": "x", "data": {"train": "x"}, "model": {"name_or_path": "t5-small"}}
    with pytest.raises(RecipeError) as e:
        from_dict(values | {"task": {"name": "translation", "source_language": "en"}})
    assert str(e.value) == "recipe: task.target_language: both languages are needed; name both, or none"


# -- features


def test_prompts_carry_the_prefix_and_labels_the_first_reference(tokenizer: Any) -> None:
    task = TASK.model_copy(update={"prefix": "translate: "})
    features = task.encode({"source": ["a"], "target": [["the film", "a book"]]}, tokenizer)
    assert features["input_ids"] == [tokenizer("translate: a")["input_ids"]]
    assert features["labels"] == [tokenizer("the film")["input_ids"]]
    assert features["labels"][0][-1] == tokenizer.eos_token_id


def test_cut_sources_keep_their_end_and_cut_targets_do_not(tokenizer: Any) -> None:
    task = TASK.model_copy(update={"max_length": 8, "max_target_length": 4})
    long = "the the the the the the the the the the"
    features = task.encode({"source": ["a", long], "target": [["a"], [long]]}, tokenizer)
    the, end = tokenizer("the")["input_ids"]
    assert features["input_ids"][1] == [the] * 7 + [end]
    assert features["labels"] == [tokenizer("a")["input_ids"], [the] * 4]
    assert features["tokens_cut"] == [0, 3]
    assert features["target_tokens_cut"] == [0, 7]
    assert features["length"] == [2, 8]


def test_a_batch_has_shifted_decoder_inputs_and_ignored_padding(tokenizer: Any, model: Any) -> None:
    encoded = encode(Dataset.from_list(ROWS[:2]), TASK, tokenizer)
    batch = TASK.collator(tokenizer, model)(encoded.features.to_list())
    first, second = encoded.features["labels"][:]
    assert batch["labels"].tolist() == [[*first], [*second] + [-100] * (len(first) - len(second))]
    assert batch["decoder_input_ids"].tolist() == [[0, *first[:-1]], [0, *second][: len(first)]]
    assert sorted(batch) == ["attention_mask", "decoder_input_ids", "input_ids", "labels"]
    unlabelled = encode(Dataset.from_list([{"source": "a"}]), TASK, tokenizer)
    assert sorted(TASK.collator(tokenizer, model)(unlabelled.features.to_list())) == ["attention_mask", "input_ids"]


def test_lengths_and_targets_that_equal_their_source(tokenizer: Any) -> None:
    task = TASK.model_copy(update={"max_target_length": 4})
    rows = [{"source": "a", "target": ["a"]}, *ROWS, {"source": "the film", "target": ["the film "]}]
    encoded = encode(Dataset.from_list(rows), task, tokenizer)
    _, targets = lengths(task, encoded)
    assert (targets.what, targets.key, targets.limit) == ("targets", "max_target_length", 4)
    assert int((targets.tokens - targets.kept).sum()) == 5
    assert int(targets.tokens.max()) == 9
    remedy = "translate or summarize them, or remove the rows"
    copies = Issue("oddity", "targets that equal their source", remedy, rows=[0, len(rows) - 1])
    summarization = task.model_copy(update={"name": "summarization"})
    assert list(summarization.issues(encoded.examples).warnings) == [copies]
    assert list(summarization.issues(encoded.examples.select([1])).warnings) == []
    assert list(task.issues(encoded.examples).warnings) == []
    assert notes(task, encoded) == [
        "1 sources have several targets; the first is learned, all are scored",
        "2 targets equal their source",
    ]


# -- loss and predictions


def test_the_loss_is_the_mean_over_tokens_that_are_no_padding(tokenizer: Any, model: Any) -> None:
    encoded = encode(Dataset.from_list(ROWS), TASK, tokenizer)
    batch = TASK.collator(tokenizer, model)(encoded.features.to_list())
    labels = batch.pop("labels")
    with torch.inference_mode():
        output = model(**batch)
        own = model(**batch, labels=labels).loss
    assert TASK.loss(output, {"labels": labels}).item() == pytest.approx(own.item(), abs=1e-5)
    tokens = int((labels != -100).sum())
    assert TASK.loss(output, {"labels": labels}, 7).item() == pytest.approx(own.item() * tokens / 7, abs=1e-4)


def test_label_smoothing_is_that_of_transformers_and_evaluation_has_none(tokenizer: Any, model: Any) -> None:
    from transformers.trainer_pt_utils import LabelSmoother

    smooth = TASK.model_copy(update={"label_smoothing": 0.2})
    encoded = encode(Dataset.from_list(ROWS), smooth, tokenizer)
    batch = TASK.collator(tokenizer, model)(encoded.features.to_list())
    labels = batch.pop("labels")
    with torch.inference_mode():
        output = model(**batch)
    expected = LabelSmoother(epsilon=0.2)(output, labels.clone())
    assert smooth.loss(output, {"labels": labels}).item() == pytest.approx(expected.item(), abs=1e-5)
    decoding = Greedy(name="greedy", max_new_tokens=2)
    found = predict(model, smooth, encoded, tokenizer, decoding=decoding).loss
    assert found == pytest.approx(TASK.loss(output, {"labels": labels}).item(), abs=1e-5)
    assert abs(found - expected.item()) > 1e-4


def test_outputs_are_the_log_probabilities_of_the_first_reference(tokenizer: Any, model: Any) -> None:
    encoded = encode(Dataset.from_list(ROWS), TASK, tokenizer)
    items, loss = outputs(model, TASK, encoded, tokenizer, batch_size=2)
    assert [len(item) for item in items] == [len(ids) for ids in encoded.features["labels"][:]]
    assert loss == pytest.approx(-sum(item.sum() for item in items) / sum(map(len, items)), abs=1e-5)


def test_predictions_scores_and_counts(tokenizer: Any, model: Any) -> None:
    encoded = encode(Dataset.from_list(ROWS), TASK, tokenizer)
    predicted = predict(model, TASK, encoded, tokenizer, decoding=Greedy(name="greedy", max_new_tokens=3))
    assert [sorted(row) for row in predicted.predictions] == [["cut", "prediction"]] * 3
    values = scores(TASK, predicted, encoded.examples, {})
    assert list(values) == ["n", "bleu", "bleu_signature", "cut", "loss"]
    assert values["cut"] == sum(row["cut"] for row in predicted.predictions)
    assert math.isclose(values["loss"], predicted.loss or 0)


def test_perfect_texts_score_100_against_any_reference() -> None:
    rows = Dataset.from_list([{"source": "x", "target": ["a b c d e", "f g h i j"]}] * 2)
    right = [{"prediction": "f g h i j", "cut": False}, {"prediction": "a b c d e", "cut": False}]
    assert scores(TASK, evaluation.Predicted(right, None), rows, {})["bleu"] == pytest.approx(100)


def test_unlabelled_rows_have_predictions_and_no_loss(tokenizer: Any, model: Any) -> None:
    encoded = encode(Dataset.from_list([{"source": "a"}, {"source": "the film"}]), TASK, tokenizer)
    predicted = predict(model, TASK, encoded, tokenizer, decoding=Greedy(name="greedy", max_new_tokens=3))
    assert len(predicted.predictions) == 2
    assert predicted.loss is None
