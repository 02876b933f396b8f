"""F1 of coreference in groups, by hand."""

import numpy as np
import pytest

from hf_tasks.metrics import METRICS

F1 = METRICS["coreference_f1"]
GOLD, FOUND = ["0", "1", "neither", "0"], ["0", "0", "1", "0"]
GROUPS = ["masculine", "masculine", "feminine", "feminine"]


def test_four_rows_by_hand() -> None:
    found = F1(FOUND, GOLD, groups=GROUPS)  # tp 2, fp 2, fn 1
    assert found["coreference_f1"] == pytest.approx(4 / 7)
    assert found["per_group"]["masculine"] == {"f1": 0.5, "precision": 0.5, "recall": 0.5, "support": 2}
    assert found["per_group"]["feminine"] == pytest.approx({"f1": 2 / 3, "precision": 0.5, "recall": 1.0, "support": 1})
    assert found["bias"] == pytest.approx(4 / 3)


def test_other_numbers_of_groups() -> None:
    assert F1(FOUND, GOLD) == {"coreference_f1": pytest.approx(4 / 7)}
    three = F1(FOUND, GOLD, groups=["a", "b", "c", "c"])
    assert three["bias"] == 0.0  # of b none is right, of a all
    assert sorted(three["per_group"]) == ["a", "b", "c"]


def test_the_counts_give_the_values_again() -> None:
    form = F1.sums(FOUND, GOLD, groups=GROUPS)
    assert form is not None
    assert F1.restored(form.table()).total() == form.total()
    some = form.take(np.array([0, 1]))
    assert some.total()["coreference_f1"] == 0.5
