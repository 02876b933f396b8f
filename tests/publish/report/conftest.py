"""A maker of runs to report on, and one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reported import SENTIMENT, Make, StubRun, maker, said


@pytest.fixture
def make(tmp_path: Path, tiny: Callable[[str], Path]) -> Make:
    return maker(tmp_path, tiny("bert"))


@pytest.fixture
def sentiment(make: Make) -> StubRun:
    """Six texts; the second and the fifth are wrong, the fifth confidently."""
    texts = ["a good film", "a slow film", "a bad film", "a great book", "an awful bad book", "it is fast"]
    labels = ["positive", "positive", "negative", "positive", "positive", "negative"]
    rows = [
        {"text": text, "label": label, "genre": genre}
        for text, label, genre in zip(texts, labels, ["film", "film", "film", "book", "book", None], strict=True)
    ]
    values = {"accuracy": 4 / 6, "intervals": {"accuracy": [0.25, 0.95]}}
    return make(SENTIMENT, rows, said(0.9, 0.4, 0.1, 0.8, 0.05, 0.3), values)
