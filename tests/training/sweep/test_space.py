"""What a sweep varies, as people write it."""

import pytest

from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe.search_space import Listed, Range, assignments, combinations, parse, shown, size, to_try
from hf_tasks.recipe.sections import seconds


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("full,lora", Listed(("full", "lora"))),
        ("1e-5, 3e-5", Listed((1e-5, 3e-5))),
        ("true,null,1", Listed((True, None, 1))),
        ('"1",1', Listed(("1", 1))),
        ("2..4", Range(2, 4, log=False)),
        ("0..0.1", Range(0, 0.1, log=False)),
        ("1e-5..1e-3:log", Range(1e-5, 1e-3, log=True)),
        (("a", 2), Listed(("a", 2))),
    ],
)
def test_values_are_listed_or_a_range(text: str, values: Listed | Range) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be values separated by commas (words, numbers, true, false), or a range such as 2..4"),
        ("[1],2", "must be values separated by commas (words, numbers, true, false), or a range such as 2..4"),
        ("a,b,a", '"a" is listed twice; keep one of them'),
        ("4..2", "a range goes from low to high; found 4..2"),
        ("0..1:log", "a logarithmic range must start above 0; found 0"),
        ("1..2:lin", 'there is no scale "lin"; write ..2:log, or ..2 alone'),
        ("a: [", 'cannot be read: "a: ["; write values with commas, or a range such as 2..4'),
    ],
)
def test_other_values_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as e:
        parse(text)
    assert str(e.value) == message


def test_values_are_written_as_people_do() -> None:
    assert [shown(value) for value in ("full", 5e-05, 0.002, 3, True, None)] == [
        "full", "5e-5", "0.002", "3", "true", "null",
    ]  # fmt: skip
    assert str(parse("1e-5..1e-3:log")) == "1e-5..0.001:log"
    assert assignments({"a.b": "x", "c": 5e-5, "d": None}) == ['a.b="x"', "c=5e-05", "d=null"]


def test_combinations_are_those_of_listed_values_and_whole_numbers() -> None:
    space = {"a": parse("x,y"), "b": parse("1..2")}
    assert combinations(space) == [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "y", "b": 1}, {"a": "y", "b": 2}]
    assert size(space) == 4
    assert combinations(space | {"c": parse("0..0.5")}) is None
    assert size(space | {"c": parse("1..8:log")}) == float("inf")


def test_every_listed_value_and_every_end_is_tried() -> None:
    assert list(to_try({"a": parse("x,y"), "b": parse("1..9")})) == [
        ("a", {"a": "x", "b": 1}),
        ("a", {"a": "y", "b": 1}),
        ("b", {"a": "x", "b": 1}),
        ("b", {"a": "x", "b": 9}),
    ]


def test_times() -> None:
    assert [seconds(text) for text in ("90s", "30m", "1.5h")] == [90, 1800, 5400]
    for text in ("", "30", "0m", "-1h", "1d"):
        with pytest.raises(RecipeError, match=r"is not a duration; write for example 90s, 30m or 1.5h$"):
            seconds(text)
