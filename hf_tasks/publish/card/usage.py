"""What the snippets of a card ask, and what they print: values for the templates."""

from collections.abc import Mapping
from typing import Any

from hf_tasks.publish.views import view_of
from hf_tasks.recipe import Recipe

MODEL_ID = "ORG/NAME"
"""Stands for the model's id on the Hub until it has one."""
TOLERANCE = 0.011
"""Difference of two printed numbers, of two decimals, that rounding may make."""


def asked(recipe: Recipe, results: Mapping[str, Any]) -> dict[str, Any]:
    """The input of the snippets, whose names become arguments: the task's own columns of the measured example, or
    placeholders where there is none."""
    if "example" in results:
        given, columns = results["example"]["input"], recipe.task.columns
        return {name: given[name] for name in (*columns.required, *columns.optional) if name in given}
    return dict.fromkeys(recipe.task.traits.inputs, "...")


def printed(recipe: Recipe, results: Mapping[str, Any]) -> str | None:
    """What the snippets print, by the stored prediction; None where there is none."""
    return view_of(recipe.task).printed(results["example"]["prediction"]) if "example" in results else None


def tokens(results: Mapping[str, Any]) -> list[str]:
    """The words of the example, for models that tag words."""
    return list(results.get("example", {}).get("prediction", {}).get("tokens", ["Some", "words"]))


def same_output(expected: str, found: str) -> bool:
    """Whether two printed texts are equal, numbers within `TOLERANCE`."""
    first, second = expected.split(), found.split()
    return len(first) == len(second) and all(_same(*pair) for pair in zip(first, second, strict=True))


def _same(first: str, second: str) -> bool:
    try:
        return first == second or abs(float(first) - float(second)) <= TOLERANCE
    except ValueError:
        return False
