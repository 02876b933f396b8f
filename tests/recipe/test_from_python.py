"""Recipes from Python values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

import hf_tasks
from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import from_dict
from hf_tasks.recipe.from_python import Given, recipe_of

TEXTS = [f"{word} {i}" for i in range(12) for word in ("a good film", "a bad film")]
FRAME = pandas.DataFrame({"review": TEXTS, "mood": ["good", "bad"] * 12})


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"t{i},{'ab'[i % 2]}\n" for i in range(12)))
    return {
        "name": "films",
        "task": {"name": "text-classification"},
        "data": {"train": tmp_path / "train.csv"},
        "model": {"name_or_path": "some/model"},
        "training": {"learning_rate": 1e-4},
    }


def test_a_dict_is_a_recipe(values: dict[str, Any]) -> None:
    recipe, folder = recipe_of(values, {"training.seed": 3, "method": {"name": "bitfit"}}, Given())
    assert (recipe.name, recipe.seed, recipe.method.name, folder) == ("films", 3, "bitfit", Path.cwd())
    assert recipe.training.given() == {"learning_rate": 1e-4, "seed": 3}
    assert "seed" not in values["training"]


def test_a_recipe_stays_what_it_is(values: dict[str, Any]) -> None:
    recipe = from_dict(values | {"data": {"train": "train.csv"}})
    assert recipe_of(recipe, (), Given()) == (recipe, None)


def test_keywords_change_a_recipe(values: dict[str, Any], tmp_path: Path) -> None:
    given = Given(
        {"train": FRAME}, {"model": "other/model", "method": None}, {"text": "review", "label": "mood"},
        {"num_train_epochs": 2}, tmp_path / "run",
    )  # fmt: skip
    recipe, _ = recipe_of(values, (), given)
    assert recipe.model.name_or_path == "other/model"
    assert recipe.training.given() == {
        "learning_rate": 1e-4, "num_train_epochs": 2, "output_dir": str(tmp_path / "run"),
    }  # fmt: skip
    written = Path(str(recipe.data.train))
    assert written.parent.parent == tmp_path / "run.data"
    assert written.read_text().splitlines()[0] == '{"review": "a good film 0", "mood": "good"}'


def test_the_same_rows_are_the_same_file_and_others_are_another(values: dict[str, Any], tmp_path: Path) -> None:
    def train_file(frame: Any) -> Any:
        columns = {"text": "review", "label": "mood"}
        return recipe_of(values, (), Given({"train": frame}, {}, columns, {}, tmp_path / "run"))[0].data.train

    assert train_file(FRAME) == train_file(FRAME.to_dict("records"))
    assert train_file(FRAME) != train_file(FRAME.tail(20))


def test_tables_alone_are_a_recipe(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    given = Given({"train": FRAME}, {"model": str(tiny("bert"))}, {}, {"learning_rate": 1e-3}, tmp_path / "moods 1")
    recipe, _ = recipe_of(None, (), given)
    assert (recipe.name, recipe.task.name, recipe.output_dir) == (
        "moods-1",
        "text-classification",
        tmp_path / "moods 1",
    )
    assert recipe.data.columns == {"text": "review", "label": "mood"}
    assert recipe.training.given()["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ({}, "there is nothing to train on; give a recipe, or rows or files as train="),
        (
            {"recipe": FRAME},
            "a recipe is the path of a recipe, the name of a shipped one, a dict or a Recipe; found DataFrame; "
            "give tables as train=",
        ),
        (
            {"recipe": "quickstart", "overrides": "training.seed=1"},
            "overrides must be a dict, e.g. {\"training.learning_rate\": 3e-5}; found the string 'training.seed=1'",
        ),
        (
            {"recipe": "quickstart", "overrides": {"training.learning_rat": 1}},
            'override training.learning_rat=1: training.learning_rat: unknown key; did you mean "learning_rate"?',
        ),
        ({"train": 3}, "a string, a list of strings, of tuples or of dicts, a pandas DataFrame"),
    ],
)
def test_wrong_arguments(call: dict[str, Any], problem: str) -> None:
    with pytest.raises(hf_tasks.UserError) as e:
        hf_tasks.train(**call)
    assert str(e.value).startswith(problem)


def test_the_command_line_keeps_its_words() -> None:
    with pytest.raises(RecipeError) as e:
        hf_tasks.train("quickstart", {"training.seed": "x"})
    assert e.value.problems[0].startswith("--set training.seed=")
