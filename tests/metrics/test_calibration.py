import numpy as np
import pytest
from scipy.special import softmax

from hf_tasks.metrics.calibration import (
    Bin,
    expected_calibration_error,
    reliability,
    temperature_of_flags,
    temperature_of_labels,
)


def test_bins_hold_their_upper_edge_and_the_first_one_zero() -> None:
    table = reliability(np.array([0.0, 0.5, 0.75, 1.0]), np.array([False, True, False, True]), bins=2)
    assert table == [Bin(0.0, 0.5, 2, 0.25, 0.5), Bin(0.5, 1.0, 2, 0.875, 0.5)]


def test_an_empty_bin_has_no_means() -> None:
    empty = reliability(np.array([0.9]), np.array([True]), bins=2)[0]
    assert empty.n == 0 and np.isnan(empty.confidence) and np.isnan(empty.accuracy)


def test_the_error_weighs_bins_by_their_size() -> None:
    # (0, 0.5]: 1 of 4, confidence 0.4 against accuracy 0; (0.5, 1]: 3 of 4, 0.8 against 2/3
    confidence, correct = np.array([0.4, 0.7, 0.8, 0.9]), np.array([False, True, True, False])
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.25 * 0.4 + 0.75 * (0.8 - 2 / 3))


def test_no_predictions_have_no_error() -> None:
    assert expected_calibration_error(np.array([]), np.array([])) == 0.0


def test_the_temperature_is_the_one_that_made_the_labels() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20000, 4))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from softmax(logits)
    assert temperature_of_labels(3 * logits, labels) == pytest.approx(3, rel=0.03)
    flags = logits > generator.logistic(size=logits.shape)  # drawn from expit(logits)
    assert temperature_of_flags(0.5 * logits, flags) == pytest.approx(0.5, rel=0.03)


def test_no_temperature_nearby_is_likelier() -> None:
    from sklearn.metrics import log_loss

    generator = np.random.default_rng(1)
    logits, labels = generator.normal(size=(50, 3)), np.arange(50) % 3
    logits[np.arange(50), labels] += 1
    best = temperature_of_labels(logits, labels)

    def loss(t: float) -> float:
        return log_loss(labels, softmax(logits / t, axis=1))

    assert loss(best) < min(loss(best * 0.98), loss(best * 1.02))


def test_temperatures_stay_within_bounds() -> None:
    logits = np.array([[0.5, 0.0], [0.0, 0.5]])
    assert temperature_of_labels(logits, np.array([0, 1])) == pytest.approx(0.05, rel=0.01)
    assert temperature_of_labels(logits, np.array([1, 0])) == pytest.approx(20, rel=0.01)
