"""Intervals and paired tests: the summable forms equal the metrics, the statistics equal scipy's and sacrebleu's."""

from typing import Any

import numpy as np
import pytest

from hf_tasks.metrics import METRICS
from hf_tasks.metrics.classification import Ranks
from hf_tasks.metrics.metric import Metric
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


def one_reference(n: int) -> Pairs:
    found, right = texts(n)
    return found, [row if isinstance(row, str) else row[0] for row in right]


def sure(predictions: list[Any], references: list[Any]) -> dict[str, list[Any]]:
    """Probabilities of c0 to c3, and what was decided by them."""
    rows = np.random.default_rng(6).dirichlet(np.ones(4), size=len(references))
    several = isinstance(references[0], list)
    names = [f"c{i}" for i in range(4 if several else len(set(references)))]
    rows = rows[:, : len(names)] / (1 if several else rows[:, : len(names)].sum(1, keepdims=True))
    decisions = [
        (list(row), [name in right for name in names]) if several else ([row.max()], [names[row.argmax()] == right])
        for row, right in zip(rows, references, strict=True)
    ]
    return {"decisions": decisions, "probabilities": [dict(zip(names, row.tolist(), strict=True)) for row in rows]}


def asked(name: str, predictions: list[Any], references: list[Any]) -> dict[str, list[Any]]:
    """What a metric asks for, one for each example."""
    match name:
        case "ece" | "brier" | "nll":
            wanted = {"ece": "decisions"}.get(name, "probabilities")
            return {wanted: sure(predictions, references)[wanted]}
        case "gleu":
            return {"sources": [" ".join(WORDS[i % 9 : i % 9 + 7]) for i in range(len(references))]}
    return {}


KNOWN = {
    "word_segmentation": {"known_words": ["the", "cat", "sat", "thecat"]},
    "unseen_entity_recall": {"known_entities": ["the", "cat", "on a"]},
}
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
DATA: dict[str, list[Pairs]] = {
    "accuracy": [labels(50, 3), several(50)],
    "f1": [labels(50, 3), several(50)],
    "precision": [labels(50, 3), several(50)],
    "recall": [labels(50, 3), several(50)],
    "matthews_correlation": [labels(50, 3), labels(50, 2)],
    "mse": [numbers(50)],
    "ece": [labels(50, 3), several(50)],
    "brier": [labels(50, 3), labels(50, 2), several(50)],
    "nll": [labels(50, 3), several(50)],
    "pearson": [numbers(50)],
    "entity_f1": [tagged(40, BIO)],
    "unseen_entity_recall": [tagged(40, BIO)],
    "conlleval_f1": [tagged(40, BIO)],
    "tagging_accuracy": [tagged(40, ["NOUN", "VERB", "DET"])],
    "word_segmentation": [tagged(40, ["B", "M", "E", "S"])],
    "squad": [answers(40, missing=False), answers(40, missing=True)],
    "squad_v2": [answers(40, missing=True)],
    "cmrc2018": [answers(40, missing=True)],
    "bleu": [texts(30)],
    "chrf": [texts(30)],
    "chrf++": [texts(30)],
    "ter": [texts(20)],
    "gleu": [texts(20), one_reference(20)],
    "rouge": [texts(20)],
    "rougeL": [texts(20)],
}


def test_every_summable_metric_is_tested() -> None:
    assert DATA.keys() == {name for name, metric in METRICS.items() if metric.statistics} - {"spearman"}


@pytest.mark.parametrize("name", DATA)
def test_resamples_have_the_values_of_their_examples(name: str) -> None:
    """All examples at once, and a resample in which one example counts twice and another not at all."""
    for predictions, references in DATA[name]:
        of_each, known = asked(name, predictions, references), KNOWN.get(name, {})
        form = METRICS[name].sums(predictions, references, **of_each, **known)
        assert form is not None
        weights = np.ones((2, len(references)))
        weights[1, :2] = 2, 0
        rows = [list(range(len(references))), [0, 0, *range(2, len(references))]]
        for i, chosen in enumerate(rows):
            pairs = [predictions[j] for j in chosen], [references[j] for j in chosen]
            asks = {key: [values[j] for j in chosen] for key, values in of_each.items()}
            expected = METRICS[name](*pairs, **asks, **known)
            found = form.values(weights)
            close = 0.5 if name == "gleu" and i else 1e-9  # another draw of references
            assert {k: v[i] for k, v in found.items()} == pytest.approx({k: expected[k] for k in found}, abs=close)
            left = {key for key, value in expected.items() if isinstance(value, float)} - found.keys()
            assert not left


def test_an_interval_is_scipys() -> None:
    from scipy.stats import bootstrap

    predictions, references = labels(400, 3)
    low, high = intervals(("accuracy",), predictions, references)["accuracy"]
    right = np.array([p == r for p, r in zip(predictions, references, strict=True)], float)
    expected = bootstrap((right,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.006)


def test_every_metric_of_ours_has_intervals_but_tables() -> None:
    assert {name for name, metric in METRICS.items() if not metric.statistics} == {"per_class", "entity_errors"}
    assert intervals(("per_class",), *labels(30, 2)) == {}


def test_a_form_that_must_know_more_is_left_out() -> None:
    assert METRICS["gleu"].sums(*texts(20)) is None
    assert METRICS["ece"].sums(*labels(20, 2), known_words=[]) is None


def test_spearman_of_a_resample_is_scipys() -> None:
    """With equal values, and examples that occur several times or never."""
    from scipy.stats import spearmanr

    found, right = (np.round(side, 1) for side in numbers(40))
    weights = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=5).astype(float)
    for value, row in zip(Ranks(found, right).values(weights)["spearman"], weights, strict=True):
        drawn = np.repeat(np.arange(40), row.astype(int))
        assert value == pytest.approx(spearmanr(found[drawn], right[drawn]).statistic)
    assert Ranks(np.ones(40), right).values(weights)["spearman"].tolist() == [0.0] * 5
    tosses = np.random.default_rng(1).integers(0, 2, (3, 40)).astype(bool)
    expected = [spearmanr(np.where(row, -right, found), right).statistic for row in tosses]
    assert Ranks(found, right).exchanged(Ranks(-right, right), tosses)["spearman"] == pytest.approx(expected)


def test_the_interval_of_spearman_is_scipys() -> None:
    from scipy.stats import bootstrap, spearmanr

    predictions, references = numbers(60)
    expected = bootstrap(
        (predictions, references), lambda x, y: spearmanr(x, y).statistic, paired=True, vectorized=False,
        n_resamples=1000, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    found = intervals(("spearman",), predictions, references)["spearman"]
    assert found == pytest.approx([expected.low, expected.high], abs=0.03)


def test_spearman_is_compared_by_randomisation() -> None:
    _, references = numbers(60)
    generator = np.random.default_rng(7)
    first, second = (list(np.array(references) + generator.normal(size=60, scale=s)) for s in (0.3, 3.0))
    (found,) = compare(("spearman",), first, second, references)
    assert found.first == pytest.approx(METRICS["spearman"](first, references)["spearman"])
    assert found.second == pytest.approx(METRICS["spearman"](second, references)["spearman"])
    assert found.p == pytest.approx(1 / 1001)
    assert found.interval[0] < found.second - found.first < found.interval[1] < 0


def test_a_metric_that_is_not_ours_is_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions, references = labels(100, 3)
    expected = intervals(("accuracy",), predictions, references)["accuracy"]
    strange = Metric(more=lambda predictions, references: METRICS["accuracy"](predictions, references) | {"table": {}})
    monkeypatch.setattr("hf_tasks.metrics.find", lambda name: strange)
    low, high = intervals(("share",), predictions, references)["accuracy"]
    assert (low, high) == pytest.approx(expected, abs=0.03)
    monkeypatch.setattr("hf_tasks.significance.LONGEST", 0.0)
    assert intervals(("share",), predictions, references) == {}


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
    forms = [METRICS["mse"].sums(side, references) for side in (first, second)]
    assert forms[0] is not None
    assert forms[1] is not None
    errors = [(np.array(side) - np.array(references)) ** 2 for side in (first, second)]
    expected = permutation_test(
        errors, lambda x, y: np.mean(x) - np.mean(y), permutation_type="samples", n_resamples=5000, rng=1
    ).pvalue
    assert randomisation(*forms)["mse"] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("name", ["chrf", "ter"])
def test_the_interval_of_a_text_metric_is_sacrebleus(name: str) -> None:
    from sacrebleu.metrics import CHRF, TER

    predictions, references = one_reference(60)
    metric = {"chrf": CHRF, "ter": TER}[name](references=[references])
    scores = metric.corpus_score(predictions, None, n_bootstrap=1000)
    low, high = intervals((name,), predictions, references)[name]
    assert (high - low) / 2 == pytest.approx(scores._ci, rel=0.1)
    assert (high + low) / 2 == pytest.approx(scores._mean, abs=0.3)


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
