"""What the checks of the data ask a task: what is odd in examples, how long they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from hf_tasks.tasks.examples import Split


@dataclass(frozen=True)
class Oddity:
    """What examples of a part have that is allowed, and seldom meant."""

    rows: Sequence[int]
    """Where, in order."""
    text: str
    """What: `targets that equal their source`."""
    remedy: str
    count: int | None = None
    """How often, where that is not once in each of the rows."""


@dataclass(frozen=True)
class Lengths:
    """How long the texts of a part's E examples are in tokens, and what of them a model reads or learns."""

    what: str
    """`texts`, `sources`, `targets`."""
    key: str
    """The task's key that limits them."""
    limit: int
    tokens: np.ndarray
    """(E,) tokens of each, whole."""
    kept: np.ndarray
    """(E,)"""
    windowed: bool = False
    """Whether some are read in several windows; of these, `tokens` and `kept` are those of one window, and one more."""
    otherwise: str = "shorten them"
    """What to do where the model cannot read as much."""

    @classmethod
    def of(cls, split: Split, what: str, max_length: int) -> Self:
        """Those of what the model reads."""
        features = split.features.with_format("numpy")
        example, length, cut = (np.asarray(features[name][:]) for name in ("example", "length", "tokens_cut"))
        kept, lost = np.zeros(len(split.examples), np.int64), np.zeros(len(split.examples), np.int64)
        np.maximum.at(kept, example, length)
        np.add.at(lost, example, cut)
        several = np.bincount(example, minlength=len(kept)) > 1
        kept += several
        return cls(what, "max_length", max_length, kept + lost, kept, windowed=bool(several.any()))
