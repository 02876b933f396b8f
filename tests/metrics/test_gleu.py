"""GLEU: the values of the authors' script."""

import pytest

from hf_tasks.metrics import score
from hf_tasks.metrics.gleu import gleu

SOURCES = ["he go to school every days .", "I likes a red cars .", "this is best film I saw ."]
CORRECTED = ["he goes to school every day .", "I like a red cars .", "this is the best film I saw ."]
REFERENCES = [
    ["he goes to school every day .", "he goes to the school each day ."],
    ["I like red cars .", "I like the red cars ."],
    ["this is the best film I have seen .", "this is the best film I saw ."],
]
FIRST = [several[0] for several in REFERENCES]


def test_values_are_those_of_the_authors() -> None:
    assert gleu(CORRECTED, REFERENCES, sources=SOURCES)["gleu"] == pytest.approx(50.43360337661733, abs=1e-9)
    assert gleu(CORRECTED, FIRST, sources=SOURCES)["gleu"] == pytest.approx(55.69116929873211, abs=1e-9)


def test_nothing_corrected_scores_nothing_here_and_perfect_is_100() -> None:
    assert gleu(SOURCES, REFERENCES, sources=SOURCES) == {"gleu": 0.0}
    assert gleu(FIRST, FIRST, sources=SOURCES)["gleu"] == pytest.approx(100)


def test_what_was_wrong_and_stays_costs_more_than_in_bleu() -> None:
    halfway = ["he goes to school every days .", *CORRECTED[1:]]
    assert gleu(halfway, FIRST, sources=halfway)["gleu"] < gleu(halfway, FIRST, sources=FIRST)["gleu"]


def test_the_task_gives_the_sources() -> None:
    values = score(["gleu"], CORRECTED, REFERENCES, {"sources": SOURCES})
    assert values == {"n": 3, "gleu": pytest.approx(50.43360337661733)}
