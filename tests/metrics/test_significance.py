"""Intervals and paired tests: the summable forms equal the metrics, the statistics equal scipy's and sacrebleu's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_tasks.metrics import METRICS
from hf_tasks.metrics.classification import Ranks
from hf_tasks.metrics.intervals import Jackknife, uncertainty, wilson
from hf_tasks.metrics.metric import Metric
from hf_tasks.metrics.significance import compare, mcnemar, randomisation
from hf_tasks.metrics.tag_schemes import Tags
from hf_tasks.runs import counts

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


def places(n: int) -> Pairs:
    names = {"c0": "0", "c1": "1", "c2": "neither"}
    return tuple([names[one] for one in side] for side in labels(n, 3))  # type: ignore[return-value]


def signs(n: int) -> Pairs:
    return tuple([one[1:] for one in side] for side in labels(n, 2))  # type: ignore[return-value]


def ranks(n: int) -> Pairs:
    return np.random.default_rng(7).integers(1, 20, size=n).tolist(), [1] * n


def masked(n: int) -> Pairs:
    generator = np.random.default_rng(8)
    counts = generator.integers(0, 6, size=n).tolist()
    found = [(float(k * generator.gamma(2.0)), int(generator.integers(k + 1)), k) for k in counts]
    return found, [(0.0, k, k) for k in counts]


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
        case "coreference_f1":
            return {"groups": ["feminine" if i % 3 else "masculine" for i in range(len(references))]}
        case "triplet_accuracy" | "average_precision":
            wanted = {"triplet_accuracy": "margins"}.get(name, "similarities")
            return {wanted: np.random.default_rng(9).normal(size=len(references)).tolist()}
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
    "coreference_f1": [places(50)],
    "positive_f1": [signs(50)],
    "triplet_accuracy": [signs(50)],
    "retrieval": [ranks(50)],
    "perplexity": [masked(50)],
    "masked_accuracy": [masked(50)],
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
    assert DATA.keys() == {name for name, metric in METRICS.items() if metric.statistics} - {
        "spearman",
        "average_precision",
    }


@pytest.mark.parametrize("name", [*DATA, "spearman", "average_precision"])
def test_stored_statistics_give_the_same_values(name: str, tmp_path: Path) -> None:
    """As `verify` computes them: from the table alone."""
    for predictions, references in DATA.get(name, [signs(50) if name == "average_precision" else numbers(50)]):
        of_each, known = asked(name, predictions, references), KNOWN.get(name, {})
        form = METRICS[name].sums(predictions, references, **of_each, **known)
        assert form is not None
        counts.write(tmp_path / "counts" / "test.npz", {name: form.table()})
        restored = METRICS[name].restored(counts.read(tmp_path / "counts" / "test.npz")[name])
        assert restored.total() == form.total()
        assert len(restored) == len(references)


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


def intervals(*args: Any) -> dict[str, list[float]]:
    return uncertainty(*args).intervals


def test_the_interval_of_a_proportion_is_scipys() -> None:
    from scipy.stats import binomtest

    predictions, references = labels(400, 3)
    right = sum(p == r for p, r in zip(predictions, references, strict=True))
    for k, n in ((right, 400), (24, 24), (0, 5)):
        expected = binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k / n, n) == pytest.approx((expected.low, expected.high))
    expected = binomtest(right, 400).proportion_ci(method="wilson")
    assert intervals(("accuracy",), predictions, references)["accuracy"] == pytest.approx(list(expected))
    assert intervals(("squad",), [{"answer": "a b"}] * 24, [["a b"]] * 24)["exact_match"][0] == pytest.approx(
        86.2, abs=0.1
    )


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """In groups, where there are many examples, nearly so."""
    from scipy.stats import t

    for n, close in ((50, 1e-9), (5000, 0.2)):
        predictions, references = numbers(n)
        errors = (np.array(predictions) - np.array(references)) ** 2
        form = METRICS["mse"].sums(predictions, references)
        assert form is not None
        groups = min(n, 200) if n > 2000 else n
        expected = errors.std(ddof=1) / n**0.5 * t.ppf(0.975, groups - 1)
        assert Jackknife.of(form).half("mse") == pytest.approx(expected, rel=close)


def test_fishers_z_gives_the_interval_of_a_correlation() -> None:
    predictions, references = numbers(60)
    form = METRICS["pearson"].sums(predictions, references)
    assert form is not None
    value, half = form.total()["pearson"], Jackknife.of(form).half("pearson")
    expected = np.tanh(np.arctanh(value) + np.array([-1, 1]) * half / (1 - value**2))
    assert intervals(("pearson",), predictions, references)["pearson"] == pytest.approx(list(expected))


def test_leaving_out_groups_is_counting_without_them() -> None:
    for name, pair in (("f1", labels(30, 3)), ("spearman", numbers(30))):
        form = METRICS[name].sums(*pair)
        assert form is not None
        groups = np.arange(30) % 4
        found = form.without(groups)
        for group in range(4):
            kept = np.flatnonzero(groups != group)
            expected = form.take(kept).total()
            assert {key: value[group] for key, value in found.items()} == pytest.approx(expected)


def test_a_macro_average_with_rare_labels_has_a_note_instead_of_an_interval() -> None:
    predictions, references = labels(60, 3)
    predictions, references = [*predictions, "rare"], [*references, "rare"]
    found = uncertainty(("f1",), predictions, references, {"labels": ("c0", "c1", "c2", "rare", "never")})
    assert found.intervals.keys() == {"f1_micro", "f1_weighted"}
    assert found.notes == {
        "f1_macro": "without 1 of 5 labels, neither true nor predicted in any example: never; "
        "no interval: fewer than 5 examples of 1 label"
    }


def test_a_value_at_its_limit_has_a_note() -> None:
    _, references = labels(60, 3)
    found = uncertainty(("matthews_correlation",), references, references)
    assert (found.intervals, found.notes) == (
        {}, {"matthews_correlation": "no interval: the value is at its limit"},
    )  # fmt: skip
    found = uncertainty(("mse",), [1.0, float("nan"), 2.0], [1.0, 2.0, 3.0])
    assert (found.intervals, found.notes) == ({}, {"mse": "not a number"})


def test_the_debiased_calibration_error_of_a_calibrated_model_is_small() -> None:
    """The plain one grows with few examples: about 0.07 here, though every probability is right."""
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, size=(30, 150))
    right = generator.random(sure.shape) < sure
    plain, debiased, covered = [], [], []
    for p, r in zip(sure, right, strict=True):
        decisions = [([a], [bool(b)]) for a, b in zip(p, r, strict=True)]
        answers = ["x"] * len(p)
        values = METRICS["ece"](answers, answers, decisions=decisions)
        found = uncertainty(("ece",), answers, answers, {"decisions": decisions})
        plain.append(values["ece"])
        debiased.append(values["ece_debiased"])
        covered.append(found.intervals["ece_debiased"][0] == 0.0)
        assert found.intervals.keys() == {"ece_debiased"}
    assert np.mean(plain) > 0.06
    assert np.mean(debiased) < 0.5 * np.mean(plain)
    assert np.mean(covered) >= 0.9


def test_the_debiased_calibration_error_of_many_examples_is_the_plain_one() -> None:
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.6, 1, size=20000)
    right = generator.random(20000) < sure - 0.2
    decisions = [([a], [bool(b)]) for a, b in zip(sure, right, strict=True)]
    values = METRICS["ece"]([""] * 20000, [""] * 20000, decisions=decisions)
    assert values["ece_debiased"] == pytest.approx(values["ece"], abs=0.001)
    assert values["ece_debiased"] == pytest.approx(0.2, abs=0.01)


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


def test_the_interval_of_spearman_is_near_that_of_scipys_bootstrap() -> None:
    from scipy.stats import bootstrap, spearmanr

    predictions, references = numbers(60)
    expected = bootstrap(
        (predictions, references), lambda x, y: spearmanr(x, y).statistic, paired=True, vectorized=False,
        n_resamples=1000, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    found = intervals(("spearman",), predictions, references)["spearman"]
    assert found == pytest.approx([expected.low, expected.high], abs=0.06)


def test_spearman_is_compared_by_randomisation() -> None:
    _, references = numbers(60)
    generator = np.random.default_rng(7)
    first, second = (list(np.array(references) + generator.normal(size=60, scale=s)) for s in (0.3, 3.0))
    (found,) = compare(("spearman",), first, second, references)
    assert found.interval is not None
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
    monkeypatch.setattr("hf_tasks.metrics.intervals.LONGEST", 0.0)
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
    assert found.interval is not None
    _, scores = Sacre([("a", predictions), ("b", worse)], {"BLEU": BLEU(references=[references])}, None, "ar", 1000)()
    assert (found.first, found.second) == pytest.approx([r.score for r in scores["BLEU"]])
    assert found.p == pytest.approx(scores["BLEU"][1].p_value, abs=0.02)
    assert found.interval[0] < found.second - found.first < found.interval[1] < 0
    assert found.method == "approximate randomisation"


def test_equal_systems_do_not_differ() -> None:
    predictions, references = labels(60, 3)
    tests = list(compare(("accuracy", "f1"), predictions, predictions, references))
    assert len(tests) >= 2
    for test in tests:
        assert (test.p, test.interval, test.first) == (1.0, (0.0, 0.0), test.second)


def test_systems_with_other_classes_are_compared_over_the_classes_of_both() -> None:
    """As the test of scikit-learn's macro F1 with the outputs of each example exchanged."""
    from sklearn.metrics import f1_score

    first, references = labels(80, 4)
    second = ["only here" if i % 9 == 0 else label for i, label in enumerate(first)]
    found = {
        test.value: test for test in compare(("f1", "precision", "matthews_correlation"), first, second, references)
    }
    one = found["f1_macro"]
    assert (one.first, one.second) == pytest.approx([f1_score(references, x, average="macro") for x in (first, second)])
    generator = np.random.default_rng(1)
    differences = []
    for row in generator.integers(0, 2, (100, 80)).astype(bool):
        here, there = np.where(row, second, first), np.where(row, first, second)
        differences.append(
            np.subtract(*(f1_score(references, x, average="macro", zero_division=0) for x in (there, here)))
        )
    expected = np.mean(np.abs(differences) >= abs(one.second - one.first) - 1e-12)
    assert one.p == pytest.approx(expected, abs=0.1)


def test_systems_with_other_vocabularies_are_compared_by_what_both_have() -> None:
    predictions, references = tagged(40, ["B", "M", "E", "S"])
    everything = sorted({"".join(WORDS[a:b]) for a in range(5) for b in range(a + 1, 6)})
    memories = {"known_words": everything}, {"known_words": ["the"]}
    found = [test.value for test in compare(("word_segmentation",), predictions, predictions, references, memories)]
    assert found == ["word_f1", "word_precision", "word_recall", "iv_recall", "oov_rate"]


def test_what_is_not_a_number_is_not_tested() -> None:
    (test,) = compare(("mse",), [1.0, float("nan")], [1.0, 2.0], [1.0, 2.0])
    assert (test.interval, test.p, test.method) == (None, None, "no test: a value is not a number")
    (test,) = compare(("accuracy",), [], [], [])
    assert (test.interval, test.p, test.method) == (None, None, "no test: there are no examples")
