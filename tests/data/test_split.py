"""Held-out parts: sizes counted by hand."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data import hold_out, read_rows, sample
from hf_tasks.data.holdout import _apportion, folds
from hf_tasks.recipe import from_dict
from hf_tasks.recipe.resolve import resolve
from hf_tasks.tasks import QuestionAnswering, TextClassification

TASK = TextClassification(name="text-classification")


def split(labels):
    return read_rows([{"text": f"t{i}", "label": label} for i, label in enumerate(labels)], TASK, labelled=True)


def test_shares_and_order():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    rest, held = hold_out(split(labels), TASK, 0.1, 7)
    assert Counter(held.examples["label"][:]) == {"a": 6, "b": 3, "c": 1}
    assert Counter(rest.examples["label"][:]) == {"a": 54, "b": 27, "c": 9}
    for one in (rest, held):
        assert np.all(np.diff(one.line) > 0)
        assert [one.examples[i]["text"] for i in range(len(one))] == [f"t{line - 1}" for line in one.line]
    assert sorted([*rest.line, *held.line]) == list(range(1, 101))


def test_seed():
    whole = split(["a", "b"] * 50)
    first, again, other = (hold_out(whole, TASK, 0.2, seed)[1].line.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_rare_strata_stay_in_the_rest():
    labels = ["a"] * 17 + ["b"] * 2 + ["c"]
    for seed in range(20):
        rest, held = hold_out(split(labels), TASK, 0.9, seed)
        assert Counter(rest.examples["label"][:]) == {"a": 1, "b": 1, "c": 1}
        assert len(held) == 17


def test_at_least_one_row_is_held_out():
    rest, held = hold_out(split(["a", "a", "b"]), TASK, 0.01, 0)
    assert (len(rest), held.examples["label"][:]) == (2, ["a"])


def test_a_stratum_each():
    rest, held = hold_out(split(["a", "b", "c", "d"]), TASK, 0.5, 0)
    assert (len(rest), len(held)) == (2, 2)


def test_whole_groups():
    rows = [
        {"question": f"q{i}", "context": f"c{i // 4}", "answers": {"text": [], "answer_start": []}} for i in range(40)
    ]
    task = QuestionAnswering(name="question-answering", version_2_with_negative=True)
    whole = read_rows(rows, task, labelled=True)
    rest, held = hold_out(whole, task, 0.25, 0)
    contexts = [set(one.examples["context"][:]) for one in (rest, held)]
    assert (len(rest), len(held)) == (28, 12)
    assert not contexts[0] & contexts[1]
    rest, held = hold_out(whole, task, 0.99, 0)
    assert (len(rest), len(held)) == (4, 36)


def test_repeated_inputs_stay_together():
    texts = [f"t{i}" for i in range(60)] * 2  # every text twice, some with another label
    rows = [{"text": text, "label": "ab"[i % 7 == 0]} for i, text in enumerate(texts)]
    for share, size in ((0.3, 36), (0.005, 2)):
        rest, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, share, 0)
        assert len(held) == size
        assert not set(rest.examples["text"][:]) & set(held.examples["text"][:])
        assert sorted([*rest.line, *held.line]) == list(range(1, 121))


def test_pairs_that_share_one_text_are_not_repeated():
    rows = [{"text": f"t{i // 3}", "text_pair": f"p{i}", "label": "abc"[i % 3]} for i in range(90)]
    _, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, 0.1, 0)
    assert Counter(held.examples["label"][:]) == {"a": 3, "b": 3, "c": 3}


def test_a_label_with_one_text_keeps_rows():
    rows = [{"text": "fg"[i % 2], "label": "ab"[i % 2]} for i in range(24)]
    rest, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, 0.25, 0)
    assert (Counter(rest.examples["label"][:]), len(held)) == ({"a": 9, "b": 9}, 6)


def test_one_text_in_all_rows():
    rest, held = hold_out(read_rows([{"text": "t", "label": "a"}] * 10, TASK, labelled=True), TASK, 0.2, 0)
    assert (len(rest), len(held)) == (8, 2)


@pytest.mark.parametrize("seed", range(5))
def test_every_one_of_several_labels_gives_its_share(seed):
    """Labels whose numbers halve from one to the next, 0.5, 0.25, ...; some rows have none."""
    random, names = np.random.default_rng(seed), "hgfedcba"
    flags = random.random((1000, 8)) < 0.5 ** np.arange(1, 9)
    rows = [
        {"text": str(i), "labels": [name for name, flag in zip(names, row, strict=True) if flag]}
        for i, row in enumerate(flags)
    ]
    rest, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, 0.2, seed)
    assert (len(rest), len(held)) == (800, 200)
    counts = Counter(label for labels in held.examples["labels"][:] for label in labels or ["none"])
    quotas = 0.2 * np.array([*flags.sum(0), (~flags.any(1)).sum()])
    assert [counts[name] for name in [*names, "none"]] == pytest.approx(quotas, abs=3)


def test_the_last_row_of_a_label_stays_in_the_rest():
    rows = [{"text": f"t{i}", "labels": ["common", f"rare{i}"] if i < 5 else ["common"]} for i in range(20)]
    for seed in range(10):
        rest, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, 0.4, seed)
        assert (len(held), len({label for labels in rest.examples["labels"][:] for label in labels})) == (8, 6)


def test_labels_that_all_occur_once_are_not_balanced():
    rows = [{"text": f"t{i // 2}", "labels": [f"l{i // 2}", "x"]} for i in range(8)]
    _, held = hold_out(read_rows(rows, TASK, labelled=True), TASK, 0.25, 0)
    assert len(held) == 2


def test_groups_give_the_share_of_each_stratum():
    answers = [{"text": ["c"], "answer_start": [0]}, {"text": [], "answer_start": []}]
    rows = [{"question": f"q{i}", "context": f"c{i // 4}", "answers": answers[(i // 4) % 4 == 0]} for i in range(400)]
    task = QuestionAnswering(name="question-answering", version_2_with_negative=True)
    _, held = hold_out(read_rows(rows, task, labelled=True), task, 0.2, 0)
    assert Counter(bool(one["text"]) for one in held.examples["answers"][:]) == {True: 60, False: 20}


def test_one_row():
    with pytest.raises(DataError) as error:
        hold_out(split(["a"]), TASK, 0.1, 0)
    assert str(error.value) == "row 1: this is the only row, so none can be held out; give data.validation"


@pytest.mark.parametrize(
    "sizes, total, taken",
    [
        ([60, 30, 10], 10, [6, 3, 1]),
        ([5, 5, 5], 1, [1, 0, 0]),
        ([7, 2, 1], 3, [2, 1, 0]),  # quotas 2.1, 0.6, 0.3
        ([1, 1, 8], 9, [0, 0, 7]),
        ([4, 4], 4, [2, 2]),
    ],
)
def test_largest_remainders(sizes, total, taken):
    assert _apportion(np.array(sizes), total).tolist() == taken


@pytest.mark.parametrize(
    "size, counts",
    [(50, {"a": 30, "b": 15, "c": 4, "d": 1}), (10, {"a": 5, "b": 3, "c": 1, "d": 1}), (4, dict.fromkeys("abcd", 1))],
)
def test_a_sample_has_each_label(size: int, counts: dict[str, int]) -> None:
    whole = split(["a"] * 600 + ["b"] * 310 + ["c"] * 85 + ["d"] * 5)
    drawn = sample(whole, TASK, size, 3)
    assert Counter(drawn.examples["label"][:]) == counts
    assert np.all(np.diff(drawn.line) > 0)
    assert (
        drawn.line.tolist() == sample(whole, TASK, size, 3).line.tolist() != sample(whole, TASK, size, 4).line.tolist()
    )


def test_a_sample_keeps_the_rarest_of_several_labels() -> None:
    task = TextClassification(name="text-classification")
    rows = [{"text": str(i), "labels": ["a", "b"] if i == 7 else ["a"]} for i in range(100)]
    drawn = sample(read_rows(rows, task, labelled=True), task, 5, 0)
    assert drawn.examples["text"][:].count("7") == 1


def test_a_sample_does_not_hide_labels(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(80)) + "rare,c\n")
    values = {"name": "r", "task": {"name": "text-classification"}, "model": {"name_or_path": "m"}}
    data = {"train": str(path), "max_examples": 20, "validation_size": 0.2}
    recipe, splits = resolve(from_dict({**values, "data": data | {"max_examples": 2, "validation_size": 0}}), None)
    assert recipe.task.labels == ("a", "b", "c") and len(splits.train) == 2
    recipe, splits = resolve(from_dict({**values, "data": data}), None)
    assert (len(splits.train), len(splits.validation or ())) == (16, 4)


def test_folds_are_stratified_and_cover_everything():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10 + ["d"] * 3
    number = folds(split(labels), TASK, 5, 7)
    assert sorted(np.bincount(number)[1:]) == [20, 20, 21, 21, 21]
    for fold in range(1, 6):
        counts = Counter(label for label, own in zip(labels, number, strict=True) if own == fold)
        assert (counts["a"], counts["b"], counts["c"]) == (12, 6, 2)
        assert counts["d"] <= 1
    assert np.array_equal(number, folds(split(labels), TASK, 5, 7))
    assert not np.array_equal(number, folds(split(labels), TASK, 5, 8))


def test_folds_keep_groups_together():
    rows = [
        {"question": f"q{i}", "context": f"c{i // 4}", "answers": {"text": [], "answer_start": []}} for i in range(40)
    ]
    task = QuestionAnswering(name="question-answering", version_2_with_negative=True)
    number = folds(read_rows(rows, task, labelled=True), task, 5, 0)
    assert np.bincount(number).tolist() == [0, 8, 8, 8, 8, 8]
    assert all(len(set(number[start : start + 4])) == 1 for start in range(0, 40, 4))
    with pytest.raises(DataError, match=r"^data.folds: fold 3 of 3 would have no examples \(2 groups by context\)"):
        folds(read_rows(rows[:8], task, labelled=True), task, 3, 0)


def test_equal_inputs_are_in_one_fold():
    texts = [f"t{i}" for i in range(30)] * 2
    whole = read_rows([{"text": text, "label": "ab"[i % 7 == 0]} for i, text in enumerate(texts)], TASK, labelled=True)
    number = folds(whole, TASK, 5, 0)
    assert np.array_equal(number[:30], number[30:])
    assert np.bincount(number)[1:].tolist() == [12] * 5
    with pytest.raises(DataError, match=r"fold 4 of 4 would have no examples \(3 different inputs\); write fewer"):
        folds(split(["a", "a", "b"]), TASK, 4, 0)
