"""Metrics of probabilities equal scikit-learn's, and what is counted by hand."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from hf_tasks.metrics.probability import brier, ece, nll

LABELS = ["bad", "good", "so so"]
ROWS = np.random.default_rng(0).dirichlet(np.ones(3), size=30)
RIGHT = [LABELS[i % 3] for i in range(30)]


def named(rows: np.ndarray, labels: list[str]) -> list[dict[str, float]]:
    return [dict(zip(labels, row.tolist(), strict=True)) for row in rows]


def test_of_labels_that_exclude_each_other_they_are_scikit_learns() -> None:
    assert nll([], RIGHT, probabilities=named(ROWS, LABELS))["nll"] == pytest.approx(
        log_loss(RIGHT, ROWS, labels=LABELS)
    )
    expected = brier_score_loss(RIGHT, ROWS, labels=LABELS)
    assert brier([], RIGHT, probabilities=named(ROWS, LABELS))["brier"] == pytest.approx(expected)


def test_of_two_labels_brier_is_that_of_the_second() -> None:
    second, right = ROWS[:, 0], [("no", "yes")[i % 2] for i in range(30)]
    rows = named(np.column_stack([1 - second, second]), ["no", "yes"])
    assert brier([], right, probabilities=rows)["brier"] == pytest.approx(
        brier_score_loss(right, second, pos_label="yes")
    )


def test_of_labels_that_do_not_they_are_means_over_the_labels() -> None:
    right = [[label for j, label in enumerate(LABELS) if (i + j) % 4 == 0] for i in range(30)]
    flags = np.array([[label in row for label in LABELS] for row in right])
    columns = list(zip(flags.T, ROWS.T, strict=True))
    of_each = [log_loss(flag, p) for flag, p in columns]
    assert nll([], right, probabilities=named(ROWS, LABELS))["nll"] == pytest.approx(np.mean(of_each))
    of_each = [brier_score_loss(flag, p) for flag, p in columns]
    assert brier([], right, probabilities=named(ROWS, LABELS))["brier"] == pytest.approx(np.mean(of_each))


def test_a_true_label_of_probability_0_is_not_infinitely_surprising() -> None:
    assert nll([], ["a"], probabilities=[{"a": 0.0, "b": 1.0}])["nll"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_ece_by_hand() -> None:
    # bin (0.6, 0.667]: two decisions, 0.65 each, one right: |0.65 - 0.5|; bin (0.933, 1]: one, 0.95, right: 0.05
    decisions = [([0.65, 0.65], [True, False]), ([0.95], [True])]
    assert ece([], [], decisions=decisions)["ece"] == pytest.approx((2 * 0.15 + 0.05) / 3)
