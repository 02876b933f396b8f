"""Suspected label errors by hand-counted thresholds."""

import numpy as np

from hf_tasks.publish.report.label_errors import suspected


def test_a_label_is_suspected_where_another_one_reaches_its_threshold() -> None:
    # thresholds: class 0: mean of .9, .7, .2 = .6; class 1: mean of .8, .6 = .7
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.4, 0.6]])
    assert suspected(np.array([0, 0, 0, 1, 1]), probabilities) == [(2, 1)]


def test_a_prediction_below_the_threshold_is_no_suspicion() -> None:
    probabilities = np.array([[0.45, 0.55], [0.9, 0.1], [0.05, 0.95], [0.1, 0.9]])
    assert suspected(np.array([0, 0, 1, 1]), probabilities) == []  # .55 is wrong, but .925 is what class 1 has


def test_the_largest_differences_come_first() -> None:
    probabilities = np.array([[0.2, 0.8], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.3, 0.7]])
    assert suspected(np.array([0, 0, 0, 0, 1]), probabilities) == [(2, 1), (0, 1)]


def test_of_several_that_reach_theirs_the_most_probable_one() -> None:
    probabilities = np.array([[0.1, 0.5, 0.4], [0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.6, 0.1, 0.3]])
    assert suspected(np.array([0, 0, 1, 2]), probabilities) == [(0, 1), (3, 0), (2, 0)]


def test_a_label_without_examples_suspects_nobody() -> None:
    assert suspected(np.array([0, 0]), np.array([[0.4, 0.6], [0.3, 0.7]])) == []
