"""Metrics of classification, by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef, precision_score, recall_score

from hf_tasks.core.errors import RecipeError
from hf_tasks.metrics import METRICS, from_evaluate, score
from hf_tasks.metrics import classification as c
from hf_tasks.metrics.metric import Metric

# a: 2 right, 3 found, 2 expected; b: 1, 2, 3; d: 0, 0, 1; e: 0, 1, 0
EXPECTED = ["a", "a", "b", "b", "b", "d"]
FOUND = ["a", "a", "a", "b", "e", "b"]

SEVERAL_EXPECTED = [["a", "b"], ["a"], [], ["c"]]
SEVERAL_FOUND = [["b", "a"], ["b"], [], []]


def approx(value: Any) -> Any:
    return pytest.approx(value, abs=1e-12)


def test_accuracy() -> None:
    assert c.accuracy(FOUND, EXPECTED) == approx({"accuracy": 3 / 6})


def test_accuracy_of_sets_asks_for_the_whole_set_in_any_order() -> None:
    assert c.accuracy(SEVERAL_FOUND, SEVERAL_EXPECTED) == approx({"accuracy": 2 / 4})


def test_precision_recall_f1_of_single_labels() -> None:
    # classes a, b, d, e; precisions 2/3, 1/2, 0, 0; recalls 1, 1/3, 0, 0; F1s 4/5, 2/5, 0, 0; supports 2, 3, 1, 0
    assert c.precision(FOUND, EXPECTED) == approx(
        {
            "precision_macro": (2 / 3 + 1 / 2) / 4,
            "precision_micro": 1 / 2,
            "precision_weighted": (2 * 2 / 3 + 3 * 1 / 2) / 6,
        }
    )
    assert c.recall(FOUND, EXPECTED) == approx(
        {"recall_macro": (1 + 1 / 3) / 4, "recall_micro": 1 / 2, "recall_weighted": (2 * 1 + 3 * 1 / 3) / 6}
    )
    assert c.f1(FOUND, EXPECTED) == approx(
        {"f1_macro": (4 / 5 + 2 / 5) / 4, "f1_micro": 1 / 2, "f1_weighted": (2 * 4 / 5 + 3 * 2 / 5) / 6}
    )


def test_precision_recall_f1_of_several_labels() -> None:
    # a: 1 right, 1 found, 2 expected; b: 1, 2, 1; c: 0, 0, 1
    assert c.precision(SEVERAL_FOUND, SEVERAL_EXPECTED) == approx(
        {"precision_micro": 2 / 3, "precision_macro": (1 + 1 / 2 + 0) / 3, "precision_weighted": (2 * 1 + 1 / 2) / 4}
    )
    assert c.recall(SEVERAL_FOUND, SEVERAL_EXPECTED) == approx(
        {"recall_micro": 2 / 4, "recall_macro": (1 / 2 + 1 + 0) / 3, "recall_weighted": (2 * 1 / 2 + 1) / 4}
    )
    assert c.f1(SEVERAL_FOUND, SEVERAL_EXPECTED) == approx(
        {"f1_micro": 4 / 7, "f1_macro": (2 / 3 + 2 / 3) / 3, "f1_weighted": (2 * 2 / 3 + 2 / 3) / 4}
    )


def test_the_first_value_is_macro_for_one_label_and_micro_for_several() -> None:
    assert next(iter(c.f1(FOUND, EXPECTED))) == "f1_macro"
    assert next(iter(c.f1(SEVERAL_FOUND, SEVERAL_EXPECTED))) == "f1_micro"


def test_a_single_class_of_several_labels_is_no_pair_of_classes() -> None:
    found, expected = [["a"], [], []], [["a"], ["a"], []]
    assert set(c.precision(found, expected).values()) == {1.0}
    assert c.recall(found, expected)["recall_macro"] == approx(1 / 2)
    assert c.per_class(found, expected) == {
        "per_class": {"a": {"precision": 1.0, "recall": 0.5, "f1": approx(2 / 3), "support": 2}}
    }


def test_rows_without_any_label() -> None:
    assert c.f1([[], []], [[], []]) == {"f1_micro": 0.0, "f1_macro": 0.0, "f1_weighted": 0.0}
    assert c.per_class([[], []], [[], []]) == {"per_class": {}}
    assert c.accuracy([[], []], [[], []]) == {"accuracy": 1.0}
    assert c.f1([[], []], [["a"], []]) == {"f1_micro": 0.0, "f1_macro": 0.0, "f1_weighted": 0.0}


def test_per_class() -> None:
    assert c.per_class(FOUND, EXPECTED)["per_class"] == {
        "a": {"precision": approx(2 / 3), "recall": 1.0, "f1": approx(4 / 5), "support": 2},
        "b": {"precision": 1 / 2, "recall": approx(1 / 3), "f1": approx(2 / 5), "support": 3},
        "d": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
        "e": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
    }


def test_per_class_of_several_labels() -> None:
    assert c.per_class(SEVERAL_FOUND, SEVERAL_EXPECTED)["per_class"] == {
        "a": {"precision": 1.0, "recall": 1 / 2, "f1": approx(2 / 3), "support": 2},
        "b": {"precision": 1 / 2, "recall": 1.0, "f1": approx(2 / 3), "support": 1},
        "c": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
    }


def test_matthews_correlation() -> None:
    # 3 true positives, 2 true negatives, 1 false positive, 1 false negative
    found, expected = list("pppp") + list("nnn"), list("pppn") + list("nnp")
    value = (3 * 2 - 1 * 1) / math.sqrt(4 * 4 * 3 * 3)
    assert c.matthews_correlation(found, expected) == approx({"matthews_correlation": value})


@pytest.mark.parametrize(("found", "expected"), [("aa", "ab"), ("ab", "aa"), ("aa", "aa"), ("bb", "aa")])
def test_matthews_correlation_of_a_constant_is_zero(found: str, expected: str) -> None:
    assert c.matthews_correlation(list(found), list(expected)) == {"matthews_correlation": 0.0}


def test_pearson_spearman_mse() -> None:
    found, expected = [1.0, 2.0, 3.0, 10.0], [1.0, 3.0, 2.0, 4.0]
    # deviations -3 -2 -1 6 and -1.5 .5 -.5 1.5: products sum to 13, squares to 50 and 5
    assert c.pearson(found, expected) == approx({"pearson": 13 / math.sqrt(50 * 5)})
    assert c.spearman(found, expected) == approx({"spearman": 1 - 6 * 2 / (4 * 15)})
    assert c.mse(found, expected) == approx({"mse": (0 + 1 + 1 + 36) / 4})


def test_random_answers_have_the_values_of_scikit_learn_and_scipy() -> None:
    generator = np.random.default_rng(0)
    for n, kinds in ((1, 2), (7, 9), (300, 3), (300, 40)):
        found, expected = ([f"c{i}" for i in generator.integers(kinds, size=n)] for _ in range(2))
        for name, function in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            averages = [f"{name}_{kind}" for kind in ("macro", "micro", "weighted")]
            values = [function(expected, found, average=kind[len(name) + 1 :], zero_division=0) for kind in averages]
            assert METRICS[name](found, expected) == approx(dict(zip(averages, values, strict=True)))
            assert METRICS[name](found, expected, labels=["c0", "unknown"]) == METRICS[name](found, expected)
        if len({*found, *expected}) > 1:
            assert c.matthews_correlation(found, expected)["matthews_correlation"] == approx(
                matthews_corrcoef(expected, found)
            )
    x, y = generator.normal(size=(2, 100)).round(1) + 1000
    assert c.pearson(list(x), list(y))["pearson"] == approx(pearsonr(x, y).statistic)
    assert c.spearman(list(x), list(y))["spearman"] == approx(spearmanr(x, y).statistic)


def test_a_prediction_that_is_not_a_number_leaves_no_number() -> None:
    found, expected = [1.0, math.nan, 2.0], [1.0, 2.0, 4.0]
    for name in ("pearson", "spearman", "mse"):
        assert math.isnan(METRICS[name](found, expected)[name])


@pytest.mark.parametrize("name", METRICS)
def test_of_no_examples_there_is_no_value(name: str) -> None:
    known: dict[str, Any] = dict.fromkeys(METRICS[name].asks, [])
    numbers = [value for value in METRICS[name]([], [], **known).values() if not isinstance(value, dict)]
    assert all(math.isnan(value) for value in numbers)


def test_a_constant_that_binary_fractions_do_not_hold_is_constant() -> None:
    assert c.pearson([0.1] * 3, [1.0, 2.0, 4.0]) == {"pearson": 0.0}


def test_spearman_shares_the_ranks_of_equals() -> None:
    # ranks 1.5 1.5 3 and 1 2 3: deviations -.5 -.5 1 and -1 0 1
    assert c.spearman([1.0, 1.0, 2.0], [1.0, 2.0, 3.0]) == approx({"spearman": 1.5 / math.sqrt(1.5 * 2)})


@pytest.mark.parametrize(("found", "expected"), [([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0]), ([1.0], [2.0])])
def test_correlations_of_a_constant_are_zero(found: list[float], expected: list[float]) -> None:
    assert c.pearson(found, expected) == {"pearson": 0.0}
    assert c.spearman(found, expected) == {"spearman": 0.0}


@pytest.mark.parametrize("name", ["accuracy", "mse"])
def test_lists_of_different_lengths_are_a_mistake_of_ours(name: str) -> None:
    with pytest.raises(ValueError):
        METRICS[name]([1.0, 2.0, 3.0], [1.0, 2.0])


def test_score_joins_the_metrics_and_counts() -> None:
    values = score(["accuracy", "matthews_correlation"], ["a", "b", "a"], ["a", "b", "b"], {})
    assert list(values) == ["n", "accuracy", "matthews_correlation"]
    assert values == approx({"n": 3, "accuracy": 2 / 3, "matthews_correlation": 1 / 2})


def test_score_gives_a_metric_what_it_asks_of_the_training_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(predictions: list[str], references: list[str], words: list[str]) -> dict[str, Any]:
        return {"known": [word in words for word in predictions], "of": references}

    monkeypatch.setitem(METRICS, "known", Metric(more=known))
    values = score(["known"], ["a", "b"], ["x", "y"], {"words": ["b"], "other": 1})
    assert values == {"n": 2, "known": [False, True], "of": ["x", "y"]}


SCRIPT = """
import datasets
import evaluate

class Distance(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"lengths_apart": sum(abs(len(p) - len(r)) for p, r in zip(predictions, references))}
"""


def test_a_local_script_of_evaluate_is_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", tmp_path / "metrics")
    monkeypatch.setenv("HF_TASKS_METRIC_CODE", "1")
    script = tmp_path / "lengths_apart.py"
    script.write_text(SCRIPT)
    assert score([str(script)], ["a", "bcd"], ["aaa", "b"], {}) == {"n": 2, "lengths_apart": 4}


def test_a_metric_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TASKS_METRIC_CODE", "1")
    with pytest.raises(RecipeError) as e:
        from_evaluate("acuracy")
    text = str(e.value)
    assert text.startswith(
        'task.metrics: there is no metric "acuracy"; did you mean "accuracy"? (one of: accuracy, f1, '
    )
    assert (
        "; or a metric of evaluate, by its Hub id or the path of its script, but: Couldn't find a module script" in text
    )
