import numpy as np
import pytest

from hf_tasks.calibration import Bin, expected_calibration_error, reliability


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
