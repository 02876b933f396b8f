"""Intervals and paired tests: the summable forms equal the metrics, the statistics equal scipy's and sacrebleu's."""

from typing import Any

import numpy as np
import pytest

from hf_tasks.metrics import METRICS
from hf_tasks.metrics.sums import SUMMABLE, sums
from hf_tasks.significance import compare, intervals, mcnemar, randomisation
from hf_tasks.tags import Tags

Pairs = tuple[list[Any], list[Any]]
WORDS = ["the", "cat", "sat", "on", "a", "mat", "while", "one", "dog", "ran", "to", "red", "paris", "river"]


def labels(n: int, classes: int, seed: int = 0) -> Pairs:
    generator = np.random.default_rng(seed)
    right = generator.integers(classes, size=n)
    found = np.where(generator.random(n) < 0.6, right, generator.integers(classes, size=n))
    return [f"c{i}" for i in found], [f"c{i}" for i in right]


def several(n: int) -> Pairs:
    generator = np.random.default_rng(1)

    def rows() -> list[list[str]]:
        return [[f"c{i}" for i in range(4) if generator.random() < 0.4] for _ in range(n)]

    return rows(), rows()


def numbers(n: int) -> Pairs:
    generator = np.random.default_rng(2)
    right = generator.normal(size=n) + 3
    return list(right + generator.normal(size=n)), list(right)


def tagged(n: int, tags: list[str]) -> Pairs:
    generator = np.random.default_rng(3)
    right = [[tags[i] for i in generator.integers(len(tags), size=5)] for _ in range(n)]
    found = [[t if generator.random() < 0.7 else tags[0] for t in row] for row in right]
    return found, [Tags(row, tokens=WORDS[:5]) for row in right]


def answers(n: int, missing: bool) -> Pairs:
    generator = np.random.default_rng(4)

    def text() -> str:
        return " ".join(generator.choice(WORDS, size=generator.integers(1, 4)))

    right = [[text() for _ in range(generator.integers(0 if missing else 1, 3))] for _ in range(n)]
    found = [{"answer": row[0] if row and generator.random() < 0.5 else text()} for row in right]
    return found, right


def texts(n: int) -> Pairs:
    generator = np.random.default_rng(5)
    right = [" ".join(generator.choice(WORDS, size=12)) for _ in range(n)]
    found = [" ".join(w for w in row.split() if generator.random() < 0.8) for row in right]
    return found, [row if i % 2 else [row, right[i - 1]] for i, row in enumerate(right)]


BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
DATA: dict[str, list[Pairs]] = {
    "accuracy": [labels(50, 3), several(50)],
    "f1": [labels(50, 3), several(50)],
    "precision": [labels(50, 3), several(50)],
    "recall": [labels(50, 3), several(50)],
    "matthews_correlation": [labels(50, 3), labels(50, 2)],
    "mse": [numbers(50)],
    "pearson": [numbers(50)],
    "entity_f1": [tagged(40, BIO)],
    "conlleval_f1": [tagged(40, BIO)],
    "tagging_accuracy": [tagged(40, ["NOUN", "VERB", "DET"])],
    "word_segmentation": [tagged(40, ["B", "M", "E", "S"])],
    "squad": [answers(40, missing=False), answers(40, missing=True)],
    "squad_v2": [answers(40, missing=True)],
    "cmrc2018": [answers(40, missing=True)],
    "bleu": [texts(30)],
    "rouge": [texts(20)],
    "rougeL": [texts(20)],
}


def test_every_summable_metric_is_tested() -> None:
    assert DATA.keys() == SUMMABLE.keys()


@pytest.mark.parametrize("name", DATA)
def test_the_sums_give_the_metric(name: str) -> None:
    """All examples at once, and a resample in which one example counts twice and another not at all."""
    for predictions, references in DATA[name]:
        form = sums(name, predictions, references)
        assert form is not None
        weights = np.ones((2, len(references)))
        weights[1, :2] = 2, 0
        rows = [list(range(len(references))), [0, 0, *range(2, len(references))]]
        for i, chosen in enumerate(rows):
            options = {"known_words": []} if name == "word_segmentation" else {}
            expected = METRICS[name]([predictions[j] for j in chosen], [references[j] for j in chosen], **options)
            found = form.values(weights @ form.counts)
            assert {k: v[i] for k, v in found.items()} == pytest.approx({k: expected[k] for k in found}, abs=1e-9)


def test_an_interval_is_scipys() -> None:
    from scipy.stats import bootstrap

    predictions, references = labels(400, 3)
    low, high = intervals(("accuracy",), predictions, references)["accuracy"]
    right = np.array([p == r for p, r in zip(predictions, references, strict=True)], float)
    expected = bootstrap((right,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.006)


def test_metrics_without_sums_have_no_interval() -> None:
    predictions, references = numbers(30)
    assert intervals(("spearman",), predictions, references) == {}
    assert set(intervals(("mse", "spearman", "pearson"), predictions, references)) == {"mse", "pearson"}


def test_mcnemar_counts_the_examples_that_one_has_right() -> None:
    """10 examples that only the first has right, 2 that only the second has: 2 x P(X <= 2 of 12) = 158 / 4096."""
    first = np.array([1] * 10 + [0] * 2 + [1] * 5 + [0] * 3)
    second = np.array([0] * 10 + [1] * 2 + [1] * 5 + [0] * 3)
    assert mcnemar(first, second) == pytest.approx(158 / 4096)
    assert mcnemar(first, first) == 1.0


def test_randomisation_is_scipys_permutation_test() -> None:
    from scipy.stats import permutation_test

    _, references = numbers(40)
    generator = np.random.default_rng(7)
    first, second = (list(np.array(references) + generator.normal(size=40, scale=s)) for s in (1.0, 1.3))
    forms = [sums("mse", side, references) for side in (first, second)]
    assert forms[0] is not None
    assert forms[1] is not None
    errors = [(np.array(side) - np.array(references)) ** 2 for side in (first, second)]
    expected = permutation_test(
        errors, lambda x, y: np.mean(x) - np.mean(y), permutation_type="samples", n_resamples=5000, rng=1
    ).pvalue
    assert randomisation(*forms)["mse"] == pytest.approx(expected, abs=0.04)


def test_the_interval_of_a_bleu_difference_is_sacrebleus() -> None:
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest as Sacre

    predictions, references = texts(80)
    references = [r if isinstance(r, str) else r[0] for r in references]
    worse = [" ".join(row.split()[:-2]) for row in predictions]
    (found,) = compare(("bleu",), predictions, worse, references)
    _, scores = Sacre([("a", predictions), ("b", worse)], {"BLEU": BLEU(references=[references])}, None, "ar", 1000)()
    assert (found.first, found.second) == pytest.approx([r.score for r in scores["BLEU"]])
    assert found.p == pytest.approx(scores["BLEU"][1].p_value, abs=0.02)
    assert found.interval[0] < found.second - found.first < found.interval[1] < 0
    assert found.method == "approximate randomisation"


def test_equal_systems_do_not_differ() -> None:
    predictions, references = labels(60, 3)
    for test in compare(("accuracy", "f1"), predictions, predictions, references):
        assert (test.p, test.interval, test.first) == (1.0, (0.0, 0.0), test.second)
