"""The `sweep` section of a recipe: what `hf-tasks sweep` varies, and how long."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from hf_tasks.block import Block
from hf_tasks.errors import RecipeError
from hf_tasks.sweep.space import Scalar, parse

SECONDS = {"s": 1, "m": 60, "h": 3600}


def _readable(text: str | tuple[Scalar, ...]) -> str | tuple[Scalar, ...]:
    parse(text)
    return text


class Sweep(Block):
    """Trainings of the recipe with several values of its keys. Options of the command go before."""

    space: dict[str, Annotated[str | tuple[Scalar, ...], AfterValidator(_readable)]] = {}
    """Dotted key of the recipe: a list of values, or a range: 2..4, 1e-5..1e-3:log."""
    trials: int | None = Field(None, ge=1)
    """Trainings in all. Where not given: every combination of listed values, at most 50; else 20."""
    metric: str | None = None
    """What ranks them, on the validation part; where not given, what chooses the best checkpoint."""
    prune: bool = False
    """Give up a training whose score is below the median of the others' at the same epoch (Golovin et al. 2017,
    https://doi.org/10.1145/3097983.3098043), after five whole ones."""
    keep: int = Field(1, ge=0)
    """Of so many best trainings the run directory is kept."""


def seconds(text: str) -> float:
    """`90s`, `30m`, `1.5h` in seconds. Raises RecipeError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise RecipeError(f"--timeout {text}: is no time; write for example 90s, 30m or 1.5h")
    return float(match[1]) * SECONDS[match[2]]
