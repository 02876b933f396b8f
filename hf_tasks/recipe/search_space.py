"""The search space of a sweep: for each key of a recipe, a list of values or a range.

full,lora        a list of values: words, numbers, true, false, null
2..4             the integers from 2 to 4
1e-5..1e-3       uniform
1e-5..1e-3:log   log-uniform
"""

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import yaml_file

if TYPE_CHECKING:
    from optuna import Trial

Scalar = str | int | float | bool | None
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\.\.({_NUMBER})(?::(\w+))?\s*")


@dataclass(frozen=True)
class Listed:
    """A list of values."""

    values: tuple[Scalar, ...]

    def tried(self) -> tuple[Scalar, ...]:
        """The values to validate before the sweep."""
        return self.values

    def every(self) -> tuple[Scalar, ...] | None:
        """All values, or None if there are infinitely many."""
        return self.values

    def suggest(self, trial: "Trial", key: str) -> Scalar:
        return trial.suggest_categorical(key, self.values)

    def __str__(self) -> str:
        return ",".join(map(shown, self.values))


@dataclass(frozen=True)
class Range:
    """A range of numbers, of integers if both ends are integers."""

    low: float
    high: float
    log: bool

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def tried(self) -> tuple[Scalar, ...]:
        return self.low, self.high

    def every(self) -> tuple[Scalar, ...] | None:
        return tuple(range(int(self.low), int(self.high) + 1)) if self.is_integer and not self.log else None

    def suggest(self, trial: "Trial", key: str) -> Scalar:
        """Sample a number, rounded to three significant digits unless it is an integer."""
        if self.is_integer:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.log)
        number = float(f"{trial.suggest_float(key, self.low, self.high, log=self.log):.3g}")
        return min(max(number, self.low), self.high)

    def __str__(self) -> str:
        return f"{shown(self.low)}..{shown(self.high)}{':log' if self.log else ''}"


Values = Listed | Range
Space = Mapping[str, Values]


def parse(text: str | Sequence[Any]) -> Values:
    """Parse values as written on the command line or in a recipe. Raises ValueError."""
    if not isinstance(text, str):
        return _listed(list(text))
    if match := _RANGE.fullmatch(text):
        return _range(*match.groups())
    try:
        return _listed(yaml_file.parse(f"values: [{text}]", "values").values["values"])
    except RecipeError:
        raise ValueError(f'cannot be read: "{text}"; write values with commas, or a range such as 2..4') from None


def combinations(space: Space) -> list[dict[str, Scalar]] | None:
    """Return all combinations of values in order (grid search), or None if there are infinitely many."""
    every = {key: values.every() for key, values in space.items()}
    if None in every.values():
        return None
    return [dict(zip(every, chosen, strict=True)) for chosen in itertools.product(*every.values())]  # type: ignore[arg-type]


def size(space: Space) -> float:
    """Return the number of combinations."""
    return math.prod(len(values.every() or ()) or math.inf for values in space.values())


def to_try(space: Space) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """Yield (key, combination) for each listed value and each end of a range, with the first values of other keys."""
    first = {key: values.tried()[0] for key, values in space.items()}
    for key, values in space.items():
        for value in values.tried():
            yield key, first | {key: value}


def assignments(values: Mapping[str, Scalar]) -> list[str]:
    """Return the values as `dotted.key=value` strings."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def shown(value: Scalar) -> str:
    """Format a value as in a recipe: full, true, 3, 0.1, 5e-5."""
    match value:
        case str():
            return value
        case float():
            return re.sub(r"e([-+])0*", r"e\1", f"{value:.12g}")
        case _:
            return json.dumps(value)


def _listed(values: Any) -> Listed:
    if not values or any(isinstance(value, list | dict) for value in values):
        raise ValueError("must be values separated by commas (words, numbers, true, false), or a range such as 2..4")
    written = [json.dumps(value) for value in values]
    if double := [text for i, text in enumerate(written) if text in written[:i]]:
        raise ValueError(f"{double[0]} is listed twice; keep one of them")
    return Listed(tuple(values))


def _range(first: str, last: str, scale: str | None) -> Range:
    low, high = yaml_file.parse(f"ends: [{first}, {last}]", "range").values["ends"]
    if scale not in (None, "log"):
        raise ValueError(f'there is no scale "{scale}"; write ..{last}:log, or ..{last} alone')
    if not low < high:
        raise ValueError(f"a range goes from low to high; found {first}..{last}")
    if scale and low <= 0:
        raise ValueError(f"a logarithmic range must start above 0; found {first}")
    return Range(low, high, scale == "log")
