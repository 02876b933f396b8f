"""Average precision, F1 of pairs, triplets and ranks: against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from hf_tasks import metrics
from hf_tasks.metrics import METRICS
from hf_tasks.metrics.intervals import uncertainty


def test_average_precision_equals_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        scores, flags = random.integers(0, 12, 40) / 10, random.integers(0, 2, 40)
        found = METRICS["average_precision"]([""] * 40, list(map(str, flags)), similarities=scores.tolist())
        assert found["average_precision"] == pytest.approx(average_precision_score(flags, scores))


def test_average_precision_of_a_resample_is_that_of_its_rows() -> None:
    random = np.random.default_rng(1)
    scores, flags = random.random(15), list(map(str, random.integers(0, 2, 15)))
    form = METRICS["average_precision"].sums([""] * 15, flags, similarities=scores)
    assert form is not None
    drawn = random.integers(0, 15, 15)
    expected = form.take(drawn).total()["average_precision"]
    assert form.values(np.bincount(drawn, minlength=15)[None])["average_precision"][0] == pytest.approx(expected)
    restored = METRICS["average_precision"].restored(form.table())
    assert restored.total() == form.total()


def test_ranks_by_hand() -> None:
    values = METRICS["retrieval"]([1, 3, 50], [1, 1, 1])
    assert values["mrr@10"] == pytest.approx((1 + 1 / 3) / 3)
    assert values["ndcg@10"] == pytest.approx((1 + 1 / 2) / 3)
    assert METRICS["retrieval"]([2], [1])["ndcg@10"] == pytest.approx(1 / np.log2(3))
    assert [values[f"recall@{k}"] for k in (1, 5, 10)] == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_a_tie_of_positive_and_negative_is_wrong() -> None:
    assert METRICS["triplet_accuracy"]([1, 1], [1, 1], margins=[0.0, 0.5])["triplet_accuracy"] == 0.5


def test_f1_of_positive_pairs() -> None:
    assert METRICS["positive_f1"](["1", "1", "0"], ["1", "0", "1"])["positive_f1"] == pytest.approx(0.5)


def test_every_value_has_an_interval_and_a_description() -> None:
    random = np.random.default_rng(2)
    context = {"similarities": random.random(30), "margins": random.random(30) - 0.3}
    flags = list(map(str, random.integers(0, 2, 30)))
    found = uncertainty(["average_precision", "positive_f1"], flags[::-1], flags, context).intervals
    found |= uncertainty(
        ["retrieval", "triplet_accuracy"], random.integers(1, 15, 30).tolist(), [1] * 30, context
    ).intervals
    assert {"average_precision", "positive_f1", "mrr@10", "ndcg@10", "recall@5", "triplet_accuracy"} <= found.keys()
    assert all(metrics.description(name) for name in found)
