"""Thresholds: the best of all that there are, by trying them one after the other."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from hf_tasks.metrics.thresholds import best_for_f1, best_for_metric

LABELS = ("no", "yes")
GENERATOR = np.random.default_rng(0)
FLAGS = GENERATOR.random(200) < 0.3
SCORES = np.clip(np.round(0.15 * FLAGS + 0.4 * GENERATOR.random(200), 2), 0.01, 0.99)  # some of them equal
REFERENCES = [LABELS[flag] for flag in FLAGS.astype(int)]
ALL = np.linspace(0.005, 0.995, 199)


def test_the_f1_is_that_of_the_best_threshold() -> None:
    best = best_for_f1(SCORES, FLAGS)
    assert f1_score(FLAGS, best < SCORES) == max(f1_score(FLAGS, t < SCORES) for t in ALL)
    assert f1_score(FLAGS, best < SCORES) > f1_score(FLAGS, SCORES > 0.5) + 0.05


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("accuracy", accuracy_score),
        ("f1", lambda expected, found: f1_score(expected, found, average="macro")),
        ("matthews_correlation", matthews_corrcoef),
        ("nll", accuracy_score),
    ],
)
def test_the_metric_is_that_of_the_best_threshold(metric: str, value: object) -> None:
    best = best_for_metric(metric, SCORES, REFERENCES, LABELS)
    assert callable(value)
    assert value(FLAGS, best < SCORES) == pytest.approx(max(value(FLAGS, t < SCORES) for t in ALL))


def test_a_threshold_is_the_middle_between_two_probabilities() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    assert best_for_f1(probabilities, np.array([False, False, True, True])) == pytest.approx(0.25)
    assert best_for_f1(probabilities, np.array([True, True, True, True])) == pytest.approx(0.05)
    assert best_for_metric("accuracy", probabilities, ["yes", "no", "no", "no"], LABELS) == 0.5


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    assert best_for_f1(np.array([0.1, 0.8, 0.9]), np.array([False, False, False])) == 0.5
    right = best_for_metric("accuracy", np.array([0.1, 0.3, 0.9]), ["no", "yes", "no"], LABELS)
    assert right == pytest.approx(0.2)  # 2 of 3, as at 0.95


def test_references_that_are_all_alike_choose_nothing() -> None:
    assert best_for_metric("accuracy", np.array([0.1, 0.3]), ["no", "no"], LABELS) == 0.5
